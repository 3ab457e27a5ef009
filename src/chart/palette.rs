//! The font, and colours that colour-blind readers can distinguish (after Okabe and Ito).

use fleetstorm_model::simulation::incidents::IncidentKind;

/// The lines of a panel, in order.
pub const LINES: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#aa5a8a", "#56b4e9", "#b98300", "#333333", "#8a8a8a"];
/// Text.
pub const INK: &str = "#222b36";
/// Text that matters less.
pub const FAINT: &str = "#5c6773";
/// Frames and grids.
pub const GRID: &str = "#e3e7ec";
/// The background of a panel.
pub const PANEL: &str = "#fafbfc";
/// Machines that failed, first to last.
pub const FAILED: [&str; 5] = ["#7a0403", "#b3261e", "#d55e00", "#e88a3c", "#f2b27a"];
/// Fonts.
pub const FONT: &str = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif";

/// The colour of a kind of incident.
pub fn kind(kind: IncidentKind) -> &'static str {
    match kind {
        IncidentKind::CpuSpike => "#d55e00",
        IncidentKind::MemoryLeak => "#0072b2",
        IncidentKind::NetworkSaturation => "#56b4e9",
        IncidentKind::DiskFull => "#e69f00",
        IncidentKind::MultiResource => "#cc79a7",
        IncidentKind::SensorDrift => "#f0e442",
        IncidentKind::Failure | IncidentKind::Cascade => "#444444",
        IncidentKind::Maintenance => "#009e73",
        IncidentKind::Degradation => "#8c6d46",
        IncidentKind::ZoneTrouble => "#a6a6d9",
    }
}
