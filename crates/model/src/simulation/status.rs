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

/// The load from which a healthy machine is degraded.
const DEGRADED_FROM: f64 = 0.92;
/// The load below which a degraded machine is healthy again: lower, so that its status doesn't flap.
const HEALTHY_BELOW: f64 = 0.80;

impl Health {
    /// The status text of the `status` topic.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Degraded => "degraded",
            Health::Down => "down",
        }
    }

    /// The next health of a machine that is up, at a load between 0 and 1.
    #[inline]
    pub fn at_load(self, load: f64) -> Health {
        match self {
            Health::Healthy if load >= DEGRADED_FROM => Health::Degraded,
            Health::Degraded if load < HEALTHY_BELOW => Health::Healthy,
            unchanged => unchanged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_follows_load_with_hysteresis() {
        assert_eq!(Health::Healthy.at_load(0.91), Health::Healthy);
        assert_eq!(Health::Healthy.at_load(0.93), Health::Degraded);
        assert_eq!(Health::Degraded.at_load(0.85), Health::Degraded);
        assert_eq!(Health::Degraded.at_load(0.79), Health::Healthy);
        assert_eq!(Health::Down.at_load(0.1), Health::Down);
    }
}
