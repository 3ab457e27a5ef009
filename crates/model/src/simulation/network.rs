//! Network traffic, which follows a machine's load.

use crate::config::Config;
use crate::fleet::TypeProfile;
use crate::random::RandomStream;

/// The mean link capacity of the fleet, in Mbps.
const LINK_MBPS: f64 = 1000.0;
/// The relative noise of each reading.
const NOISE: f64 = 0.08;

/// The traffic of one machine.
#[derive(Debug, Clone)]
pub struct Network {
    link_mbps: f32,
    /// The fraction of the link that a full load takes.
    per_load: f32,
    out_per_in: f32,
}

impl Network {
    /// The traffic of a machine of type `profile`.
    pub fn new(config: &Config, profile: &TypeProfile, stream: &mut RandomStream) -> Network {
        let (network, cpu) = (config.base_network_load, config.base_cpu_load);
        Network {
            link_mbps: (LINK_MBPS * profile.network) as f32,
            per_load: if cpu > 0.0 { (network / cpu) as f32 } else { 0.0 },
            // Some machines mostly receive, some mostly send.
            out_per_in: stream.log_normal(0.8, 0.3) as f32,
        }
    }

    /// Traffic received and sent in one reading, in Mbps, at a load between 0 and 1. Incidents fill the
    /// link by `link_fill`, from 0 to 1.
    #[inline]
    pub fn step(&self, load: f64, link_fill: f64, normals: (f64, f64)) -> (f64, f64) {
        let link = f64::from(self.link_mbps);
        let usual = link * load * f64::from(self.per_load);
        let received = usual * (1.0 + NOISE * normals.0);
        let sent = usual * f64::from(self.out_per_in) * (1.0 + NOISE * normals.1);
        let filled = |usual: f64| usual + (link - usual) * link_fill;
        (filled(received.clamp(0.0, link)), filled(sent.clamp(0.0, link)))
    }
}
