//! Checks that the advertised listeners can be reached. A broker that answers at the bootstrap address
//! may advertise another address for everything else, often one that only works where the broker runs.

use std::thread;
use std::time::Instant;

use super::address::{Address, ConnectFailure};
use super::check::Check;
use crate::exit::ExitCode;
use crate::sink::kafka::Node;

/// The name of the check.
pub const NAME: &str = "listeners";
/// The most brokers that are tried. No cluster has more.
const MOST: usize = 1000;
/// How many are tried at once.
const AT_ONCE: usize = 32;
/// How many are named in a message.
const MOST_NAMED: usize = 3;

/// Connects to the advertised address of every broker. `bootstrap` are the addresses that answered.
pub fn check(nodes: &[Node], bootstrap: &[Address], until: Instant) -> Check {
    if nodes.is_empty() {
        return Check::fail(
            NAME,
            ExitCode::BrokerUnreachable,
            "the cluster names no broker to its clients",
            "check the broker's log: it has not joined a cluster, or is not a broker",
        );
    }
    let nodes = &nodes[..nodes.len().min(MOST)];
    let mut unreached = Vec::new();
    for some in nodes.chunks(AT_ONCE) {
        thread::scope(|scope| {
            let working: Vec<_> = some
                .iter()
                .map(|node| {
                    let address = Address { host: node.host.clone(), port: node.port };
                    scope.spawn(move || {
                        let outcome = address.connect(until);
                        outcome.err().map(|why| (node.id, address, why))
                    })
                })
                .collect();
            // A thread that panicked has printed why on stderr.
            unreached.extend(working.into_iter().filter_map(|thread| thread.join().ok()?));
        });
    }
    let all = nodes.len();
    let Some((_, address, why)) = unreached.first() else {
        let named: Vec<String> =
            nodes.iter().take(MOST_NAMED).map(|m| format!("{}:{}", m.host, m.port)).collect();
        let more = if all > MOST_NAMED { ", ..." } else { "" };
        return Check::ok(
            NAME,
            format!("{} named to clients can be reached: {}{more}", count(all), named.join(", ")),
        );
    };
    let named: Vec<String> = unreached
        .iter()
        .take(MOST_NAMED)
        .map(|(id, address, why)| format!("broker {id} at {address}: {why}"))
        .collect();
    let more = match unreached.len() {
        n if n > MOST_NAMED => format!(", and {} more", n - MOST_NAMED),
        _ => String::new(),
    };
    let seen = format!(
        "the cluster sends its clients to {} of {all} that can't be reached from here: {}{more}",
        count(unreached.len()),
        named.join("; ")
    );
    Check::fail(NAME, ExitCode::BrokerUnreachable, seen, fix(address, why, bootstrap))
}

fn count(brokers: usize) -> String {
    if brokers == 1 { "1 broker".to_owned() } else { format!("{brokers} brokers") }
}

fn fix(address: &Address, why: &ConnectFailure, bootstrap: &[Address]) -> String {
    let came_by = bootstrap.first().map_or_else(String::new, Address::to_string);
    let elsewhere = !bootstrap.iter().any(Address::is_loopback);
    let hint = match why {
        _ if address.is_loopback() && elsewhere => {
            "it names itself as clients on its own machine would, and this is another"
        }
        ConnectFailure::Unknown(_) => {
            "the name is known only where the broker runs, as a container's or a pod's"
        }
        ConnectFailure::Refused | ConnectFailure::Silent | ConnectFailure::Other(_) => {
            "the address is not open from here, though the bootstrap address is"
        }
    };
    format!(
        "{hint}: set the broker's advertised.listeners to an address that clients reach, as \
         {came_by}, or add a listener for clients from outside"
    )
}
