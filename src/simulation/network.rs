//! Network traffic, which follows the work that a machine does.

use crate::fleet::TypeProfile;
use crate::random::Stream;

/// The mean link of the fleet, in Mbps.
const LINK_MBPS: f64 = 1000.0;
/// A reading's own relative noise.
const NOISE: f64 = 0.08;

/// The traffic of one machine.
#[derive(Debug, Clone)]
pub struct Network {
    link_mbps: f32,
    out_per_in: f32,
}

impl Network {
    /// The traffic of a machine of type `profile`.
    pub fn new(profile: &TypeProfile, stream: &mut Stream) -> Network {
        Network {
            link_mbps: (LINK_MBPS * profile.network) as f32,
            // Some machines mostly receive, some mostly send.
            out_per_in: stream.log_normal(0.8, 0.3) as f32,
        }
    }

    /// Traffic received and sent in one reading, in Mbps, at a load between 0 and 1.
    #[inline]
    pub fn step(&self, load: f64, normals: (f64, f64)) -> (f64, f64) {
        let link = f64::from(self.link_mbps);
        let inward = link * load * (1.0 + NOISE * normals.0);
        let outward = link * load * f64::from(self.out_per_in) * (1.0 + NOISE * normals.1);
        (inward.clamp(0.0, link), outward.clamp(0.0, link))
    }
}
