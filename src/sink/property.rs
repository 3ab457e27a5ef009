//! Properties of librdkafka: their names, and which of them are secrets.

use std::fmt;
use std::str::FromStr;

/// A property of librdkafka, as `-X key=value`. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Property {
    /// The property `key` with a value.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Property {
        Property { key: key.into(), value: value.into() }
    }

    /// Whether its value must not be shown.
    pub fn is_secret(&self) -> bool {
        is_secret(&self.key)
    }

    /// Whether it sets the same as `other`, perhaps under another name.
    pub fn replaces(&self, other: &Property) -> bool {
        let (own, others) = (canonical(&self.key), canonical(&other.key));
        own == others || RIVALS.iter().any(|group| group.contains(&own) && group.contains(&others))
    }
}

/// A text that is not KEY=VALUE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write it as KEY=VALUE, as in linger.ms=20")]
pub struct PropertyError;

impl FromStr for Property {
    type Err = PropertyError;

    fn from_str(text: &str) -> Result<Property, PropertyError> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Property::new(key.trim(), value)),
            _ => Err(PropertyError),
        }
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.is_secret() { "(secret)" } else { &self.value };
        write!(f, "{}={value}", self.key)
    }
}

/// Whether the value of `key` must not be shown. Unknown names are judged by the words in them.
fn is_secret(key: &str) -> bool {
    const WORDS: [&str; 9] = [
        "password",
        "passphrase",
        "secret",
        "jaas.config",
        "oauthbearer.config",
        "key.pem",
        "keystore.key",
        "user.info",
        "auth.token",
    ];
    let key = key.to_ascii_lowercase();
    WORDS.iter().any(|word| key.contains(word))
}

/// One name for all of librdkafka's aliases of a property.
pub fn canonical(key: &str) -> &str {
    match key {
        "bootstrap.servers" => "metadata.broker.list",
        "max.in.flight" => "max.in.flight.requests.per.connection",
        "sasl.mechanism" => "sasl.mechanisms",
        "sasl.oauthbearer.client.credentials.client.id" => "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.credentials.client.secret" => "sasl.oauthbearer.client.secret",
        "queue.buffering.max.ms" => "linger.ms",
        "retries" => "message.send.max.retries",
        "compression.type" => "compression.codec",
        "request.required.acks" => "acks",
        "delivery.timeout.ms" => "message.timeout.ms",
        other => other,
    }
}

/// Properties that set the same in different ways.
const RIVALS: [&[&str]; 3] = [
    &["ssl.ca.location", "ssl.ca.pem"],
    &["ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location"],
    &["ssl.key.location", "ssl.key.pem", "ssl.keystore.location"],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_a_secret() {
        for key in [
            "sasl.password",
            "ssl.key.password",
            "ssl.keystore.password",
            "ssl.key.pem",
            "sasl.jaas.config",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.config",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "basic.auth.user.info",
            "bearer.auth.token",
            "SASL.Password",
        ] {
            let shown = format!("{:?}", Property::new(key, "hidden"));
            assert!(shown.contains(key) && !shown.contains("hidden"), "{shown}");
        }
        let shown = format!("{:?}", Property::new("sasl.oauthbearer.token.endpoint.url", "shown"));
        assert!(shown.contains("=shown"), "{shown}");
    }

    #[test]
    fn a_property_replaces_those_that_say_the_same() {
        let replaces = |a: &str, b: &str| Property::new(a, "").replaces(&Property::new(b, ""));
        assert!(replaces("linger.ms", "queue.buffering.max.ms"));
        assert!(replaces("sasl.mechanisms", "sasl.mechanism"));
        assert!(replaces("ssl.ca.location", "ssl.ca.pem"));
        assert!(replaces("ssl.keystore.location", "ssl.key.pem"));
        assert!(!replaces("ssl.key.password", "ssl.key.pem"));
        assert!(!replaces("ssl.certificate.pem", "ssl.key.pem"));
    }

    #[test]
    fn what_is_no_property_is_refused() {
        assert!("linger.ms".parse::<Property>().is_err());
        assert!("=5".parse::<Property>().is_err());
        assert_eq!("a=b=c".parse(), Ok(Property::new("a", "b=c")));
    }
}
