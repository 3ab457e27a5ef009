//! Where a machine is placed.

/// A machine and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Number of the machine in the fleet.
    pub machine: u32,
    /// Index of its zone into those of the fleet.
    pub zone: u8,
    /// Index of its region into those of the fleet.
    pub region: u8,
}
