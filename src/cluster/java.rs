//! Translates the properties of a Java client to librdkafka's, the bootstrap servers, and the registry's
//! settings.

mod jaas;
mod stores;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::types::RDKafkaConfRes;
use secrecy::SecretString;

use super::properties_file::ClientProperties;
use crate::registry::RegistryAuth;
use crate::sink::kafka::KafkaError;
use crate::sink::options::Acks;
use crate::sink::property::Property;

use jaas::LoginModule;
use stores::Kind;

/// A Java client's properties, translated.
#[derive(Debug, Default)]
pub struct JavaClient {
    /// For librdkafka, without those that an option of the program sets.
    pub properties: Vec<Property>,
    /// `bootstrap.servers`.
    pub bootstrap: Option<String>,
    /// `acks`.
    pub acks: Option<Acks>,
    /// `enable.idempotence`.
    pub idempotence: Option<bool>,
    /// The registry's.
    pub registry: RegistryKeys,
    /// Properties that name Java classes, which have no meaning here.
    pub classes: Vec<String>,
    /// Properties that only Java clients know, or that the program sets itself.
    pub ignored: Vec<String>,
}

/// The registry's settings among a Java client's properties.
#[derive(Debug, Default)]
pub struct RegistryKeys {
    /// Its URL. Credentials in it count if `auth` has none.
    pub url: Option<SecretString>,
    /// The credentials.
    pub auth: RegistryAuth,
    /// PEM certificates of authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// A client certificate with its key, as one PEM file.
    pub identity: Option<PathBuf>,
}

impl JavaClient {
    /// Translates `file`.
    ///
    /// # Errors
    /// [`KafkaError::Java`], which names the line and the property, and no value.
    pub fn new(file: &ClientProperties) -> Result<JavaClient, KafkaError> {
        let mut translation = Translation { file, client: JavaClient::default() };
        for (key, value) in file.iter() {
            translation.take(key, value)?;
        }
        translation.login()?;
        translation.truststore()?;
        translation.keystore()?;
        translation.registry()?;
        Ok(translation.client)
    }
}

struct Translation<'a> {
    file: &'a ClientProperties,
    client: JavaClient,
}

/// Properties that are translated together, or are the registry's.
const APART: [&str; 17] = [
    "sasl.jaas.config",
    "ssl.truststore.location",
    "ssl.truststore.type",
    "ssl.truststore.password",
    "ssl.truststore.certificates",
    "ssl.keystore.location",
    "ssl.keystore.type",
    "ssl.keystore.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.key.password",
    "schema.registry.url",
    "basic.auth.credentials.source",
    "basic.auth.user.info",
    "bearer.auth.credentials.source",
    "bearer.auth.token",
    "sasl.oauthbearer.method",
];

/// Properties that Java clients and librdkafka both know, and the program sets itself.
const OURS: [&str; 9] = [
    "auto.offset.reset",
    "check.crcs",
    "enable.auto.commit",
    "group.instance.id",
    "isolation.level",
    "partition.assignment.strategy",
    // Java's names of ciphers aren't OpenSSL's.
    "ssl.cipher.suites",
    "transaction.timeout.ms",
    "transactional.id",
];

/// Properties that name Java classes, though their names don't say so.
const CLASSES: [&str; 9] = [
    "config.providers",
    "interceptor.classes",
    "key.deserializer",
    "key.serializer",
    "metric.reporters",
    "security.providers",
    "ssl.engine.factory.class",
    "value.deserializer",
    "value.serializer",
];

impl Translation<'_> {
    /// Translates a property by itself.
    fn take(&mut self, key: &str, value: &str) -> Result<(), KafkaError> {
        let client = &mut self.client;
        let trimmed = value.trim();
        match key {
            _ if APART.contains(&key) || key.starts_with("schema.registry.") => {}
            "bootstrap.servers" => client.bootstrap = filled(trimmed),
            "acks" => {
                client.acks = Some(match trimmed {
                    "all" | "-1" => Acks::All,
                    "1" => Acks::Leader,
                    "0" => Acks::None,
                    _ => return Err(self.wrong(key, "must be all, -1, 1 or 0")),
                });
            }
            "enable.idempotence" => {
                client.idempotence = Some(match trimmed.to_ascii_lowercase().as_str() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(self.wrong(key, "must be true or false")),
                });
            }
            "ssl.endpoint.identification.algorithm" => {
                let algorithm = if trimmed.is_empty() { "none" } else { trimmed };
                client.properties.push(Property::new(key, algorithm.to_ascii_lowercase()));
            }
            "sasl.oauthbearer.token.endpoint.url" => {
                client.properties.push(Property::new("sasl.oauthbearer.method", "oidc"));
                client.properties.push(Property::new(key, trimmed));
            }
            _ if OURS.contains(&key) => client.ignored.push(key.to_owned()),
            _ if CLASSES.contains(&key)
                || key.ends_with(".class")
                || key.ends_with(".subject.name.strategy") =>
            {
                client.classes.push(key.to_owned());
            }
            _ => {
                let property = Property::new(key, value);
                // A blank at the end belongs to a password alone.
                let property =
                    if property.is_secret() { property } else { Property::new(key, trimmed) };
                if is_known(&property) {
                    client.properties.push(property);
                } else {
                    client.ignored.push(key.to_owned());
                }
            }
        }
        Ok(())
    }

    /// The user and password, or the client of an authorisation server, of `sasl.jaas.config`.
    fn login(&mut self) -> Result<(), KafkaError> {
        const KEY: &str = "sasl.jaas.config";
        let Some(text) = self.file.get(KEY) else { return Ok(()) };
        let module = LoginModule::parse(text).map_err(|problem| self.wrong(KEY, problem))?;
        let pairs: &[(&str, &str)] = match module.name() {
            "PlainLoginModule" | "ScramLoginModule" => {
                &[("username", "sasl.username"), ("password", "sasl.password")]
            }
            "OAuthBearerLoginModule" => {
                if self.file.get("sasl.oauthbearer.token.endpoint.url").is_none() {
                    return Err(self.wrong(
                        KEY,
                        "needs sasl.oauthbearer.token.endpoint.url beside OAuthBearerLoginModule",
                    ));
                }
                &[
                    ("clientId", "sasl.oauthbearer.client.id"),
                    ("clientSecret", "sasl.oauthbearer.client.secret"),
                    ("scope", "sasl.oauthbearer.scope"),
                ]
            }
            _ => {
                return Err(self.wrong(
                    KEY,
                    "names a login module that this program doesn't know; it knows \
                     PlainLoginModule, ScramLoginModule and OAuthBearerLoginModule",
                ));
            }
        };
        for (option, key) in pairs {
            let Some(value) = module.option(option) else { continue };
            let property = Property::new(*key, value);
            // Properties by the names of Java 4 win over these.
            if !self.client.properties.iter().any(|own| own.replaces(&property)) {
                self.client.properties.push(property);
            }
        }
        if pairs[0].0 == "username"
            && pairs.iter().any(|(option, _)| module.option(option).is_none())
        {
            return Err(self.wrong(KEY, "lacks a username or a password"));
        }
        let extensions: Vec<String> = module
            .options_under("extension_")
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        if !extensions.is_empty() {
            let extensions = extensions.join(",");
            self.client.properties.push(Property::new("sasl.oauthbearer.extensions", extensions));
        }
        Ok(())
    }

    /// The authorities that the brokers' certificates are checked against.
    fn truststore(&mut self) -> Result<(), KafkaError> {
        if let Some(text) = self.file.get("ssl.truststore.certificates") {
            self.client.properties.push(Property::new("ssl.ca.pem", stores::pem(text)));
        } else if let Some(path) =
            self.authorities("ssl.truststore.location", "ssl.truststore.type")?
        {
            self.client.properties.push(Property::new("ssl.ca.location", path));
        }
        Ok(())
    }

    /// The client certificate and its key.
    fn keystore(&mut self) -> Result<(), KafkaError> {
        const LOCATION: &str = "ssl.keystore.location";
        let file = self.file;
        let mut own = Vec::new();
        let chain = file.get("ssl.keystore.certificate.chain");
        let key = file.get("ssl.keystore.key");
        if chain.is_some() || key.is_some() {
            let (Some(chain), Some(key)) = (chain, key) else {
                return Err(self.wrong(
                    if chain.is_some() {
                        "ssl.keystore.certificate.chain"
                    } else {
                        "ssl.keystore.key"
                    },
                    "stands alone: ssl.keystore.certificate.chain and ssl.keystore.key go together",
                ));
            };
            own.push(Property::new("ssl.certificate.pem", stores::pem(chain)));
            own.push(Property::new("ssl.key.pem", stores::pem(key)));
        } else if let Some(location) = self.path(LOCATION) {
            match self.kind(LOCATION, location, "ssl.keystore.type")? {
                Kind::Pem => {
                    own.push(Property::new("ssl.certificate.location", location));
                    own.push(Property::new("ssl.key.location", location));
                }
                Kind::Pkcs12 => {
                    own.push(Property::new(LOCATION, location));
                    if let Some(password) = file.get("ssl.keystore.password") {
                        own.push(Property::new("ssl.keystore.password", password));
                    }
                }
                Kind::Jks => {
                    return Err(self.wrong(
                        LOCATION,
                        &format!(
                            "names a Java key store, which only Java reads: make it PKCS #12 by \
                             `keytool -importkeystore -srckeystore {location} -destkeystore \
                             {location}.p12 -deststoretype PKCS12`, and name that"
                        ),
                    ));
                }
            }
        }
        let properties = &mut self.client.properties;
        properties.extend(own);
        // A PKCS #12 file has the one password.
        let is_pem = properties.iter().any(|property| property.key.starts_with("ssl.key."));
        if is_pem && let Some(password) = file.get("ssl.key.password") {
            properties.push(Property::new("ssl.key.password", password));
        }
        Ok(())
    }

    /// The registry's settings.
    fn registry(&mut self) -> Result<(), KafkaError> {
        let url = self.file.get("schema.registry.url").and_then(|url| filled(url.trim()));
        let identity = match self.path("schema.registry.ssl.keystore.location") {
            None => None,
            Some(location) => {
                let key = "schema.registry.ssl.keystore.location";
                if self.kind(key, location, "schema.registry.ssl.keystore.type")? != Kind::Pem {
                    return Err(self.wrong(
                        key,
                        "must be a PEM file with a certificate and its key: make one by \
                         `openssl pkcs12 -nodes -in FILE.p12 -out FILE.pem`",
                    ));
                }
                Some(PathBuf::from(location))
            }
        };
        let ca_file = self.authorities(
            "schema.registry.ssl.truststore.location",
            "schema.registry.ssl.truststore.type",
        )?;
        self.client.registry = RegistryKeys {
            url: url.map(SecretString::from),
            auth: self.registry_auth()?,
            ca_file: ca_file.map(PathBuf::from),
            identity,
        };
        Ok(())
    }

    fn registry_auth(&self) -> Result<RegistryAuth, KafkaError> {
        // Confluent's tools accept these names with and without a prefix.
        let named = |key: &str| -> Option<(String, &str)> {
            let prefixed = format!("schema.registry.{key}");
            let found = |key: String| self.file.get(&key).map(|value| (key, value));
            found(prefixed).or_else(|| found(key.to_owned()))
        };
        let source = named("basic.auth.credentials.source");
        match source.as_ref().map(|(key, source)| (key, source.trim())) {
            Some((_, "URL")) => return Ok(RegistryAuth::None),
            Some((key, "SASL_INHERIT")) => {
                let own = |key: &str| self.client.properties.iter().find(|p| p.key == key);
                let (Some(user), Some(password)) = (own("sasl.username"), own("sasl.password"))
                else {
                    return Err(
                        self.wrong(key, "is SASL_INHERIT, but there is no SASL user and password")
                    );
                };
                let password = password.value.clone().into();
                return Ok(RegistryAuth::Basic { user: user.value.clone(), password });
            }
            Some((key, "USER_INFO")) if named("basic.auth.user.info").is_none() => {
                return Err(self.wrong(key, "is USER_INFO, but there is no basic.auth.user.info"));
            }
            None | Some((_, "USER_INFO" | "")) => {}
            Some((key, _)) => {
                return Err(self.wrong(key, "must be USER_INFO, URL or SASL_INHERIT"));
            }
        }
        if let Some((key, pair)) = named("basic.auth.user.info") {
            let Some((user, password)) = pair.split_once(':') else {
                return Err(self.wrong(&key, "must be USER:PASSWORD, with a colon"));
            };
            return Ok(RegistryAuth::Basic { user: user.to_owned(), password: password.into() });
        }
        if let Some((key, source)) = named("bearer.auth.credentials.source")
            && !source.trim().eq_ignore_ascii_case("STATIC_TOKEN")
        {
            return Err(
                self.wrong(&key, "must be STATIC_TOKEN: no other source of tokens is supported")
            );
        }
        let token = named("bearer.auth.token").and_then(|(_, token)| filled(token.trim()));
        Ok(token.map_or(RegistryAuth::None, |token| RegistryAuth::Bearer(token.into())))
    }

    /// The authorities' file that `location` names, which must be PEM.
    fn authorities(&self, location: &str, kind: &str) -> Result<Option<String>, KafkaError> {
        let Some(path) = self.path(location) else { return Ok(None) };
        if self.kind(location, path, kind)? == Kind::Pem {
            return Ok(Some(path.to_owned()));
        }
        Err(self.wrong(
            location,
            &format!(
                "names a store that isn't PEM: make it so by `keytool -list -rfc -keystore {path} \
                 > ca.pem`, and name ca.pem with {kind}=PEM"
            ),
        ))
    }

    /// The path in a property, if that is set.
    fn path(&self, key: &str) -> Option<&str> {
        self.file.get(key).map(str::trim).filter(|path| !path.is_empty())
    }

    fn kind(&self, key: &str, path: &str, kind: &str) -> Result<Kind, KafkaError> {
        Kind::of(Path::new(path), self.file.get(kind)).map_err(|error| {
            self.wrong(key, &format!("names {path}, which can't be read: {error}"))
        })
    }

    fn wrong(&self, key: &str, problem: &str) -> KafkaError {
        KafkaError::Java {
            path: self.file.path().to_owned(),
            line: self.file.line(key).unwrap_or(0),
            problem: format!("`{key}` {problem}"),
        }
    }
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether librdkafka knows a property, whatever its value.
fn is_known(property: &Property) -> bool {
    let mut config = ClientConfig::new();
    config.set(&property.key, &property.value);
    !matches!(
        config.create_native_config(),
        Err(ClientError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..))
    )
}
