//! How brokers and registry are reached: by options, then by the properties of a Java client, then
//! by the environment.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::environment;
use super::java::JavaClient;
use super::options::ClusterOptions;
use super::properties_file::ClientProperties;
use crate::exit::ProgramError;
use crate::pacing::StopFlag;
use crate::registry::{
    ClientCertificate, Registry, RegistryAuth, RegistryOptions, RegistrySettings,
};
use crate::sink::kafka::{KafkaSettings, TokenSource};
use crate::sink::options::{Acks, ProducerOptions};

/// The properties in the file of `--command-config`; empty without one.
#[derive(Debug, Default)]
pub struct Connection {
    file: Option<PathBuf>,
    java: JavaClient,
}

impl Connection {
    /// Reads the file that `options` name, if any, and logs which of its properties are ignored.
    ///
    /// # Errors
    /// [`ProgramError`] if the file can't be read, or a property is not supported.
    pub fn read(options: &ClusterOptions) -> Result<Connection, ProgramError> {
        let Some(path) = &options.command_config else { return Ok(Connection::default()) };
        let java = JavaClient::new(&ClientProperties::read(path)?)?;
        if !java.classes.is_empty() {
            let classes = java.classes.join(", ");
            tracing::warn!(
                "ignored in {}, since they name Java classes: {classes}",
                path.display()
            );
        }
        for key in &java.ignored {
            tracing::debug!("ignored in {}, since it has no use here: {key}", path.display());
        }
        Ok(Connection { file: Some(path.clone()), java })
    }

    /// The bootstrap servers; `None` if nothing names any.
    ///
    /// # Errors
    /// [`ProgramError::Usage`] if there is a file, and neither it nor anything else names any.
    pub fn brokers(&self, options: &ClusterOptions) -> Result<Option<String>, ProgramError> {
        let named = options.bootstrap_servers.clone().or_else(|| self.java.bootstrap.clone());
        let brokers = named.or_else(environment::bootstrap_servers);
        match (&self.file, &brokers) {
            (Some(path), None) => Err(ProgramError::Usage(format!(
                "{} has no bootstrap.servers: give the brokers by --bootstrap-server",
                path.display()
            ))),
            _ => Ok(brokers),
        }
    }

    /// The settings to reach the brokers at `bootstrap`.
    ///
    /// # Errors
    /// [`ProgramError`] if options and properties contradict each other, or properties are invalid.
    pub fn kafka(
        &self,
        options: &ClusterOptions,
        bootstrap: String,
        acks: Option<Acks>,
    ) -> Result<KafkaSettings, ProgramError> {
        let (acks, idempotent) = self.safety(acks)?;
        let own = &options.properties;
        let replaced = |of_file: &&_| own.iter().any(|property| property.replaces(of_file));
        let mut properties: Vec<_> =
            self.java.properties.iter().filter(|p| !replaced(p)).cloned().collect();
        properties.extend(own.iter().cloned());
        let tokens = TokenSource::take(&mut properties)?.map(Arc::new);
        let connect_timeout = options.connect_timeout;
        let options = ProducerOptions::read(acks, idempotent, properties);
        Ok(KafkaSettings { bootstrap, options, tokens, connect_timeout })
    }

    /// The registry's URL; `None` if nothing names one.
    pub fn registry_url(&self, options: &RegistryOptions) -> Option<String> {
        let in_file = || self.java.registry.url.as_ref().map(|url| url.expose_secret().to_owned());
        options.url.clone().or_else(in_file).or_else(environment::registry_url)
    }

    /// A client of the registry at `url`.
    ///
    /// # Errors
    /// [`ProgramError`] if the options, the properties or the URL are invalid.
    pub fn registry(
        &self,
        options: &RegistryOptions,
        url: &str,
        stop: &StopFlag,
    ) -> Result<Registry, ProgramError> {
        let file = &self.java.registry;
        // Credentials of an option or the file, also those in the URL, win over the environment.
        let named = options.url.is_some() || file.url.is_some();
        let auth = match (&options.basic_auth, &options.token) {
            (Some(pair), _) => basic("--registry-basic-auth", pair)?,
            (None, Some(token)) => RegistryAuth::Bearer(token.clone()),
            (None, None) if !matches!(file.auth, RegistryAuth::None) => file.auth.clone(),
            (None, None) if named && url.contains('@') => RegistryAuth::None,
            (None, None) => from_environment()?,
        };
        // The key may be in the certificate's file.
        let certificate = options.certificate.as_ref().or(file.identity.as_ref());
        let certificate = certificate.map(|certificate| ClientCertificate {
            certificate: certificate.clone(),
            key: options.key.as_ref().unwrap_or(certificate).clone(),
        });
        let settings = RegistrySettings {
            url: url.to_owned(),
            auth,
            ca_file: options.ca_file.as_ref().or(file.ca_file.as_ref()).cloned(),
            certificate,
            deadline: options.timeout,
        };
        Ok(Registry::new(&settings)?.with_stop(stop.atomic()))
    }

    /// The acks setting, and whether the producer is idempotent.
    fn safety(&self, option: Option<Acks>) -> Result<(Acks, bool), ProgramError> {
        let file = self.file.as_ref().map_or_else(String::new, |path| path.display().to_string());
        let contradict = |own: String, of_file: &str| {
            Err(ProgramError::Usage(format!("{own} and {of_file} of {file} contradict each other")))
        };
        if let (Some(option), Some(acks)) = (option, self.java.acks)
            && option != acks
        {
            return contradict(format!("--acks {option}"), &format!("acks={acks}"));
        }
        let acks = option.or(self.java.acks).unwrap_or(Acks::All);
        match (acks, self.java.idempotence) {
            (Acks::All, Some(false)) if option == Some(Acks::All) => contradict(
                "--acks all, which is idempotent,".to_owned(),
                "enable.idempotence=false",
            ),
            (Acks::Leader | Acks::None, Some(true)) => {
                let by = if option.is_some() { "--acks " } else { "acks=" };
                contradict(format!("{by}{acks}"), "enable.idempotence=true")
            }
            (_, idempotence) => Ok((acks, acks == Acks::All && idempotence.unwrap_or(true))),
        }
    }
}

/// The registry's credentials in the environment.
fn from_environment() -> Result<RegistryAuth, ProgramError> {
    let pair = environment::registry_basic_auth();
    match (pair, environment::registry_token()) {
        (Some(_), Some(_)) => Err(ProgramError::Usage(
            "FLEETSTORM_REGISTRY_BASIC_AUTH and FLEETSTORM_REGISTRY_TOKEN are both set: unset one"
                .to_owned(),
        )),
        (Some(pair), None) => basic("FLEETSTORM_REGISTRY_BASIC_AUTH", &pair),
        (None, Some(token)) => Ok(RegistryAuth::Bearer(token)),
        (None, None) => Ok(RegistryAuth::None),
    }
}

fn basic(source: &str, pair: &SecretString) -> Result<RegistryAuth, ProgramError> {
    let (user, password) = pair.expose_secret().split_once(':').ok_or_else(|| {
        ProgramError::Usage(format!("{source} takes USER:PASSWORD, with a colon"))
    })?;
    Ok(RegistryAuth::Basic { user: user.to_owned(), password: password.into() })
}

#[cfg(test)]
mod tests {

    use super::*;

    /// Options that name a file of these properties.
    fn options(properties: &str, more: &[&str]) -> (ClusterOptions, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.properties");
        std::fs::write(&path, properties).unwrap();
        let options = ClusterOptions {
            command_config: Some(path),
            properties: more.iter().map(|property| property.parse().unwrap()).collect(),
            ..ClusterOptions::default()
        };
        (options, folder)
    }

    fn settings(options: &ClusterOptions, acks: Option<Acks>) -> Result<KafkaSettings, String> {
        Connection::read(options)
            .and_then(|connection| {
                let brokers = connection.brokers(options)?.unwrap_or_default();
                connection.kafka(options, brokers, acks)
            })
            .map_err(|error| error.to_string())
    }

    fn kafka(properties: &str, more: &[&str]) -> Result<KafkaSettings, String> {
        let (options, _folder) = options(properties, more);
        settings(&options, None)
    }

    #[test]
    fn options_win_over_the_file() {
        let file = "bootstrap.servers=a:1\nlinger.ms=7\nsasl.username=ann\nsecurity.protocol=SSL";
        let settings = kafka(file, &["queue.buffering.max.ms=9"]).unwrap();
        assert_eq!(settings.bootstrap, "a:1");
        let shown: Vec<_> = settings.options.properties.iter().map(|p| format!("{p:?}")).collect();
        assert_eq!(
            shown,
            ["sasl.username=ann", "security.protocol=SSL", "queue.buffering.max.ms=9"]
        );
        let (mut options, _folder) = options(file, &[]);
        options.bootstrap_servers = Some("b:2".to_owned());
        assert_eq!(super::tests::settings(&options, None).unwrap().bootstrap, "b:2");
    }

    #[test]
    fn a_file_without_brokers_needs_an_option() {
        let error = kafka("linger.ms=7", &[]).unwrap_err();
        assert!(error.contains("bootstrap.servers") && error.contains("--bootstrap-server"));
    }

    #[test]
    fn acknowledgements_are_taken_from_the_file_and_may_not_be_contradicted() {
        for (file, option, expected) in [
            ("", None, Ok((Acks::All, true))),
            ("acks=1", None, Ok((Acks::Leader, false))),
            ("acks=all", Some(Acks::All), Ok((Acks::All, true))),
            ("enable.idempotence=false", None, Ok((Acks::All, false))),
            ("enable.idempotence=false", Some(Acks::Leader), Ok((Acks::Leader, false))),
            ("enable.idempotence=true\nacks=-1", None, Ok((Acks::All, true))),
            ("acks=all", Some(Acks::Leader), Err("--acks 1 and acks=all of")),
            ("enable.idempotence=false", Some(Acks::All), Err("--acks all")),
            (
                "enable.idempotence=true",
                Some(Acks::None),
                Err("--acks 0 and enable.idempotence=true of"),
            ),
            ("enable.idempotence=true\nacks=1", None, Err("acks=1 and enable.idempotence=true")),
        ] {
            let (options, _folder) = options(&format!("bootstrap.servers=a:1\n{file}"), &[]);
            let settings = super::tests::settings(&options, option);
            match (settings, expected) {
                (Ok(settings), Ok(expected)) => {
                    assert_eq!(
                        (settings.options.acks, settings.options.idempotence),
                        expected,
                        "{file:?}"
                    );
                }
                (Err(error), Err(words)) => assert!(error.contains(words), "{error}"),
                (settings, expected) => panic!("{file:?}: {settings:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn tokens_are_had_from_where_the_file_says() {
        let settings = kafka(
            "bootstrap.servers=a:1\nsasl.mechanism=OAUTHBEARER\n\
             sasl.oauthbearer.token.endpoint.url=https://idp.example/token\n\
             sasl.jaas.config=OAuthBearerLoginModule required clientId=me clientSecret=hidden;",
            &[],
        )
        .unwrap();
        assert!(settings.tokens.is_some());
        assert_eq!(settings.options.properties.len(), 1, "{:?}", settings.options.properties);
        assert!(!format!("{settings:?}").contains("hidden"));
    }

    #[test]
    fn the_registry_is_taken_from_the_file_where_options_are_silent() {
        let file = "schema.registry.url=http://ann:hidden@r:1\nbearer.auth.token=hidden\n";
        let (options, _folder) = options(file, &[]);
        let connection = Connection::read(&options).unwrap();
        let silent = RegistryOptions::default();
        let url = connection.registry_url(&silent).unwrap();
        assert_eq!(url, "http://ann:hidden@r:1");
        let client = connection.registry(&silent, &url, &StopFlag::default()).unwrap();
        assert_eq!(client.to_string(), "http://r:1");
        let shown = format!("{connection:?} {client:?}");
        assert!(shown.contains("Bearer") && !shown.contains("hidden"), "{shown}");
        let named = RegistryOptions { url: Some("http://other".to_owned()), ..silent };
        assert_eq!(connection.registry_url(&named).as_deref(), Some("http://other"));
    }
}
