//! Network traffic, which follows a machine's requests.

use crate::config::Config;
use crate::fleet::TypeProfile;
use crate::random::RandomStream;

/// The link capacity for each core, in Mbps: larger machines have wider links.
pub const LINK_MBPS_PER_CORE: f64 = 50.0;
/// The mean load of the fleet's services by default, at which links carry `base_network_load`.
const REFERENCE_LOAD: f64 = 0.25;
/// The relative noise of each reading.
const NOISE: f64 = 0.08;

/// The traffic of one machine.
#[derive(Debug, Clone)]
pub struct Network {
    link_mbps: f32,
    /// The fraction of the link that a full load's requests take.
    per_load: f32,
    out_per_in: f32,
}

impl Network {
    /// The traffic of a machine of type `profile` with so many cores. The bytes of a request depend on the
    /// type alone.
    pub fn new(
        config: &Config,
        profile: &TypeProfile,
        cores: u32,
        stream: &mut RandomStream,
    ) -> Network {
        let bytes_per_request = profile.network / profile.cpu;
        Network {
            link_mbps: (LINK_MBPS_PER_CORE * f64::from(cores)) as f32,
            per_load: (config.base_network_load * bytes_per_request / REFERENCE_LOAD) as f32,
            // Some machines mostly receive, some mostly send.
            out_per_in: stream.log_normal(0.8, 0.3) as f32,
        }
    }

    /// Traffic received and sent in one reading, in Mbps, for requests that are `load` times what the
    /// machine can serve. Incidents fill the link by `link_fill`, from 0 to 1.
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
