//! Checks that the user may do with the topics what a run does.

use super::check::Check;
use crate::exit::{ExitCode, ProgramError};
use crate::sink::kafka::KafkaError;
use crate::sink::kafka::access::TopicAccess;

/// The name of the check.
pub const NAME: &str = "topics";

/// The check of the user's access to each topic.
pub fn check(names: &[String], access: &[TopicAccess]) -> Check {
    let of = |wanted: fn(&TopicAccess) -> bool| -> Vec<&str> {
        let all = names.iter().zip(access);
        all.filter(|(_, access)| wanted(access)).map(|(name, _)| name.as_str()).collect()
    };
    let unwritable = of(|a| matches!(a, TopicAccess::NotWritable));
    let hidden = of(|a| matches!(a, TopicAccess::NotCreatable | TopicAccess::NotDescribable));
    let mut lacking = Vec::new();
    if !unwritable.is_empty() {
        lacking.push(format!("may not write {}", unwritable.join(", ")));
    }
    if !hidden.is_empty() {
        lacking.push(format!("may neither see nor create {}", hidden.join(", ")));
    }
    if !lacking.is_empty() {
        let wanted: &str = if hidden.is_empty() { "WRITE" } else { "WRITE, DESCRIBE and CREATE" };
        let all = [unwritable, hidden].concat();
        return Check::fail(
            NAME,
            ExitCode::BrokerRefused,
            format!("this user {}", lacking.join(", and ")),
            format!(
                "give the user an ACL that allows {wanted} on {}, as by kafka-acls.sh --add \
                 --allow-principal User:NAME --producer --topic PREFIX --resource-pattern-type prefixed",
                if all.len() == 1 { "this topic" } else { "these topics" }
            ),
        );
    }
    let impossible = names.iter().zip(access).find_map(|(name, access)| match access {
        TopicAccess::CreationFails(why) => Some((name, why)),
        _ => None,
    });
    if let Some((name, why)) = impossible {
        return Check::fail(
            NAME,
            ExitCode::TopicUnfit,
            format!("topic {name} is missing and can't be created: {why}"),
            "choose another --topic-prefix, or create the topics yourself",
        );
    }
    let (there, creatable) =
        (of(|a| *a == TopicAccess::Writable), of(|a| *a == TopicAccess::Creatable));
    let untold = of(|a| *a == TopicAccess::Unknown);
    let mut seen = Vec::new();
    for (topics, what) in [
        (&there, "may be written"),
        (&creatable, "missing, and may be created"),
        (&untold, "exists; the broker doesn't report who may write"),
    ] {
        if !topics.is_empty() {
            seen.push(format!("{}: {what}", topics.join(", ")));
        }
    }
    Check::ok(NAME, seen.join("; "))
}

/// The check of a request that failed.
pub fn failed(error: KafkaError) -> Check {
    let code = ProgramError::Kafka(error);
    Check::fail(
        NAME,
        code.exit_code(),
        code.to_string(),
        "check that the cluster has a controller: topics are created through it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_named_with_its_topics() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let access = [TopicAccess::Writable, TopicAccess::NotWritable, TopicAccess::NotCreatable];
        let check = super::check(&names, &access);
        assert_eq!(check.exit_code, Some(ExitCode::BrokerRefused));
        assert_eq!(check.seen, "this user may not write b, and may neither see nor create c");
        assert!(check.fix.unwrap_or_default().contains("DESCRIBE and CREATE"));
        let fine = super::check(
            &names,
            &[TopicAccess::Writable, TopicAccess::Creatable, TopicAccess::Unknown],
        );
        assert_eq!(fine.exit_code, None);
        let unfit =
            [TopicAccess::Writable, TopicAccess::Writable, TopicAccess::CreationFails("no".into())];
        assert_eq!(super::check(&names, &unfit).exit_code, Some(ExitCode::TopicUnfit));
    }
}
