//! Small multiples: the cpu of single machines, and their incidents.

use fleetstorm_model::simulation::incidents::IncidentKind;
use svg::node::element::{Definitions, Group, Pattern};

use super::panel::Panel;
use crate::chart::palette;
use crate::chart::shapes::{Area, CHARACTER, rectangle, stroke, text};
use crate::preview::incidents::Incident;
use crate::preview::shape::Shape;

/// The id of the hatching for down time.
const HATCH: &str = "down";
/// The strip above a plot that shows incidents in full colour.
const STRIP: f64 = 5.0;
/// The least width of an incident.
const NARROWEST: f64 = 1.5;

/// The definition of the hatching.
pub fn definitions() -> Definitions {
    let hatch = Pattern::new()
        .set("id", HATCH)
        .set("width", 5)
        .set("height", 5)
        .set("patternUnits", "userSpaceOnUse")
        .set("patternTransform", "rotate(45)")
        .add(rectangle(Area { x: 0.0, y: 0.0, width: 5.0, height: 5.0 }, "#dcdfe3"))
        .add(
            stroke((0.0, 0.0), (0.0, 5.0), palette::kind(IncidentKind::Failure))
                .set("stroke-width", 2.4),
        );
    Definitions::new().add(hatch)
}

/// The panel of the shape's machine `at`, in `area`.
pub fn machine(shape: &Shape, at: usize, area: Area) -> Group {
    let machine = &shape.detail.machines[at];
    let panel = Panel::new(area, shape.detail.columns, (0.0, 100.0));
    let mut group = panel.frame(&machine.line.name, "cpu %", &[]);
    let of_machine = || shape.incidents.iter().filter(|i| i.machine == machine.machine);
    let of_machine = || of_machine().filter(|i| is_inside(shape, i));
    for incident in of_machine().filter(|i| !i.is_failure()) {
        group = group.add(shade(&panel, incident));
    }
    for incident in of_machine().filter(|i| i.is_failure()) {
        group = group.add(shade(&panel, incident));
    }
    group.add(panel.line(&machine.line, palette::INK).set("stroke-width", 1.2))
}

/// Whether any of it is in the time that is shown.
fn is_inside(shape: &Shape, incident: &Incident) -> bool {
    let (start, end) = shape.detail.columns.span_ms();
    (incident.start_ms as f64) < end && incident.end_ms.is_none_or(|ms| ms as f64 > start)
}

fn shade(panel: &Panel, incident: &Incident) -> Group {
    let start = panel.x(incident.start_ms as f64);
    let end = incident.end_ms.map_or(panel.plot.x + panel.plot.width, |ms| panel.x(ms as f64));
    let right = panel.plot.x + panel.plot.width;
    let x = start.min(right - NARROWEST);
    let area = Area { x, width: (end - x).max(NARROWEST), ..panel.plot };
    let strip = Area { y: area.y - STRIP, height: STRIP, ..area };
    let colour = palette::kind(incident.kind);
    if incident.is_failure() {
        return Group::new()
            .add(rectangle(area, &format!("url(#{HATCH})")))
            .add(rectangle(strip, colour));
    }
    Group::new()
        .add(rectangle(area, colour).set("fill-opacity", 0.28))
        .add(rectangle(strip, colour))
}

/// The kinds of incidents of the machines that are shown, in rows of `width`; and its height.
pub fn legend(shape: &Shape, x: f64, y: f64, width: f64) -> (Group, f64) {
    let (mut group, mut at, mut row) = (Group::new(), x, y);
    let is_shown = |i: &Incident| {
        is_inside(shape, i) && shape.detail.machines.iter().any(|m| m.machine == i.machine)
    };
    let shown: Vec<&Incident> = shape.incidents.iter().filter(|i| is_shown(i)).collect();
    let kinds = IncidentKind::ALL.into_iter().filter(|&kind| shown.iter().any(|i| i.kind == kind));
    let mut entries: Vec<(String, String)> = Vec::new();
    for kind in kinds {
        let failure = matches!(kind.as_str(), "failure" | "cascade");
        let (name, fill) = match failure {
            true => ("down (failure, cascade)".to_owned(), format!("url(#{HATCH})")),
            false => (kind.as_str().replace('_', " "), palette::kind(kind).to_owned()),
        };
        if !entries.iter().any(|(known, _)| *known == name) {
            entries.push((name, fill));
        }
    }
    if entries.is_empty() {
        return (group, 0.0);
    }
    for (name, fill) in entries {
        let needed = 24.0 + name.chars().count() as f64 * 12.0 * CHARACTER + 16.0;
        if at + needed > x + width {
            (at, row) = (x, row + 20.0);
        }
        let swatch = Area { x: at, y: row - 10.0, width: 18.0, height: 11.0 };
        group = group.add(rectangle(swatch, &fill)).add(text(
            at + 24.0,
            row,
            12.0,
            palette::INK,
            &name,
        ));
        at += needed;
    }
    (group, row - y + 20.0)
}
