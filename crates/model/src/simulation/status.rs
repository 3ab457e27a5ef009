//! A machine's health, as its control plane reports it.

/// The health of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It works as it should.
    Healthy,
    /// It works, but is overloaded or recovering.
    Degraded,
    /// It doesn't work.
    Down,
}

/// A machine is degraded from this load on ...
const OVERLOADED: f64 = 0.92;
/// ... until its load falls below this one, so that its status doesn't flap.
const RELIEVED: f64 = 0.80;

impl Health {
    /// The status text of the `status` topic.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Degraded => "degraded",
            Health::Down => "down",
        }
    }

    /// The health that follows from `load`, between 0 and 1, on a machine that is up.
    #[inline]
    pub fn under(self, load: f64) -> Health {
        match self {
            Health::Healthy if load >= OVERLOADED => Health::Degraded,
            Health::Degraded if load < RELIEVED => Health::Healthy,
            unchanged => unchanged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_follows_load_with_hysteresis() {
        assert_eq!(Health::Healthy.under(0.91), Health::Healthy);
        assert_eq!(Health::Healthy.under(0.93), Health::Degraded);
        assert_eq!(Health::Degraded.under(0.85), Health::Degraded);
        assert_eq!(Health::Degraded.under(0.79), Health::Healthy);
        assert_eq!(Health::Down.under(0.1), Health::Down);
    }
}
