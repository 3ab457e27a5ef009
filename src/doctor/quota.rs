//! Checks whether a quota of the cluster would throttle a run.

use std::fmt::Display;

use bytesize::ByteSize;
use fleetstorm_producer::Quota;

use super::check::Check;

const NAME: &str = "quota";

/// The check of the quotas that the cluster reported, or of why it did not.
pub fn check(told: Result<Vec<Quota>, impl Display>) -> Check {
    let quotas = match told {
        Ok(quotas) => quotas,
        Err(why) => return Check::skip(NAME, format!("quotas are not known: {why}")),
    };
    if quotas.is_empty() {
        return Check::ok(NAME, "no quota on producing for this client");
    }
    let words = quotas.iter().map(|quota| {
        let value = match quota.key.as_str() {
            "producer_byte_rate" => {
                format!("{}/s on each broker", ByteSize(quota.value as u64).display().si())
            }
            _ => format!("{} %", quota.value),
        };
        format!("{} of {} is {value}", quota.key, quota.entity)
    });
    let seen = words.collect::<Vec<_>>().join("; ");
    let fix = "brokers throttle a producer that exceeds it: ask for a lower --rate, or raise the \
               quota by kafka-configs.sh --alter --add-config producer_byte_rate=BYTES";
    Check::warn(NAME, seen, fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::State;

    #[test]
    fn quotas_are_told_with_whom_they_are_for() {
        let quota = |key: &str, value| Quota {
            entity: "client-id <default>".to_owned(),
            key: key.to_owned(),
            value,
        };
        let known = |quotas| check(Ok::<_, &str>(quotas));
        let told = known(vec![quota("producer_byte_rate", 1e5), quota("request_percentage", 50.0)]);
        assert_eq!(told.state, State::Warn);
        assert_eq!(
            told.seen,
            "producer_byte_rate of client-id <default> is 100.0 kB/s on each broker; \
             request_percentage of client-id <default> is 50 %"
        );
        assert_eq!(known(Vec::new()).state, State::Ok);
        assert_eq!(check(Err("no")).state, State::Skip);
    }
}
