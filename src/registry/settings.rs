//! A registry's settings, and the addresses in them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use secrecy::SecretString;

use super::addresses::SideBySide;
use super::cause::root_cause;
use super::error::RegistryError;
#[cfg(not(feature = "tls"))]
use super::identity::NO_TLS;
use super::identity::{ClientCertificate, Identities};

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// The credentials for the registry. `Debug` shows no secret.
#[derive(Clone, Debug, Default)]
pub enum RegistryAuth {
    /// None, unless the URL holds a user and password.
    #[default]
    None,
    /// HTTP basic authentication; for Confluent Cloud, the API key and its secret.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A bearer token.
    Bearer(SecretString),
}

/// How to reach a registry. `Debug` shows no secret.
#[derive(Clone)]
pub struct RegistrySettings {
    /// One URL, or several of one registry, separated by commas and tried in order.
    ///
    /// `http://user:password@host` means basic authentication, unless `auth` is set.
    pub url: String,
    /// The credentials.
    pub auth: RegistryAuth,
    /// PEM certificates of authorities to trust, beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// The client certificate, for registries that require one.
    pub certificate: Option<ClientCertificate>,
    /// How long to wait for a registry that isn't up.
    pub deadline: Duration,
}

impl RegistrySettings {
    /// The default deadline.
    pub const DEADLINE: Duration = Duration::from_secs(30);

    /// Default settings for a URL.
    pub fn new(url: impl Into<String>) -> RegistrySettings {
        RegistrySettings {
            url: url.into(),
            auth: RegistryAuth::None,
            ca_file: None,
            certificate: None,
            deadline: RegistrySettings::DEADLINE,
        }
    }

    /// The URL, or URLs, without credentials: the form to show and to store.
    pub fn display_url(&self) -> String {
        let urls: Vec<_> = split(&self.url).map(redacted).collect();
        urls.join(",")
    }
}

impl fmt::Debug for RegistrySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrySettings")
            .field("url", &self.display_url())
            .field("auth", &self.auth)
            .field("ca_file", &self.ca_file)
            .field("certificate", &self.certificate)
            .field("deadline", &self.deadline)
            .finish()
    }
}

/// One address of the registry.
#[derive(Debug)]
pub(super) struct Target {
    /// Without credentials or a trailing slash.
    pub(super) url: String,
    pub(super) auth: RegistryAuth,
    /// The client for the API. It follows redirects that keep a request what it is.
    pub(super) client: Client,
    loopback: bool,
    port: u16,
    identities: Identities,
}

impl Target {
    /// The addresses of the settings.
    pub(super) fn all(settings: &RegistrySettings) -> Result<Vec<Target>, RegistryError> {
        let identities =
            Identities::read(settings.ca_file.as_deref(), settings.certificate.as_ref())?;
        let targets = split(&settings.url)
            .map(|text| Target::new(text, settings, identities.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        if targets.is_empty() {
            return Err(bad_url(&settings.url, "it is empty"));
        }
        Ok(targets)
    }

    fn new(
        text: &str,
        settings: &RegistrySettings,
        identities: Identities,
    ) -> Result<Target, RegistryError> {
        let mut url = parse(text)?;
        let auth = match (&settings.auth, userinfo(&url)) {
            (RegistryAuth::None, Some(auth)) => auth,
            (auth, _) => auth.clone(),
        };
        // Both can only fail for a URL without a host, which parse() rejects.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let loopback = match url.host_str().unwrap_or_default() {
            "localhost" => true,
            host => host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback()),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let url = url.as_str().trim_end_matches('/').to_owned();
        // Other redirects turn a POST into a GET, which would look like a broken registry.
        let follow = Policy::custom(|attempt| {
            let kept = matches!(attempt.status().as_u16(), 307 | 308);
            if kept && attempt.previous().len() <= REDIRECTS {
                attempt.follow()
            } else {
                attempt.stop()
            }
        });
        let client = client(loopback, port, &identities, follow).map_err(|error| {
            let cause = root_cause(&error);
            RegistryError::Request { url: url.clone(), cause }
        })?;
        Ok(Target { url, auth, client, loopback, port, identities })
    }

    /// A client that doesn't follow redirects.
    pub(super) fn plain_client(&self) -> Result<Client, reqwest::Error> {
        client(self.loopback, self.port, &self.identities, Policy::none())
    }
}

fn client(
    loopback: bool,
    port: u16,
    identities: &Identities,
    redirects: Policy,
) -> Result<Client, reqwest::Error> {
    let builder = Client::builder().redirect(redirects).dns_resolver(Arc::new(SideBySide { port }));
    // A proxy from the environment can't reach our loopback.
    let builder = if loopback { builder.no_proxy() } else { builder };
    identities.known_to(builder).build()
}

fn split(urls: &str) -> impl Iterator<Item = &str> {
    urls.split(',').map(str::trim).filter(|url| !url.is_empty())
}

fn parse(text: &str) -> Result<Url, RegistryError> {
    let bad = |problem: &str| bad_url(text, problem);
    if !text.contains("://") {
        return Err(bad("it must begin with http:// or https://"));
    }
    let url = Url::parse(text).map_err(|e| bad(&e.to_string()))?;
    match url.scheme() {
        "http" => {}
        "https" => {
            #[cfg(not(feature = "tls"))]
            return Err(bad(NO_TLS));
        }
        _ => return Err(bad("it must begin with http:// or https://")),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it must end with its path, without ? or #"));
    }
    Ok(url)
}

fn bad_url(text: &str, problem: &str) -> RegistryError {
    RegistryError::BadUrl { url: redacted(text), problem: problem.to_owned() }
}

/// The user and password in a URL.
fn userinfo(url: &Url) -> Option<RegistryAuth> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some(RegistryAuth::Basic {
        user: decode(url.username()),
        password: decode(url.password().unwrap_or_default()).into(),
    })
}

/// A URL, even an invalid one, without what may be credentials.
fn redacted(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    match text.rfind('@') {
        Some(at) if at >= start => format!("{}{}", &text[..start], &text[at + 1..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn targets(url: &str) -> Result<Vec<Target>, RegistryError> {
        Target::all(&RegistrySettings::new(url))
    }

    #[test]
    fn credentials_in_a_url_become_basic_authentication() {
        let url = "http://us%40er:p%2Fw@host:8081/apis/ccompat/v7/, http://other";
        let targets = targets(url).unwrap();
        assert_eq!(targets[0].url, "http://host:8081/apis/ccompat/v7");
        assert_eq!(targets[1].url, "http://other");
        let RegistryAuth::Basic { user, password } = &targets[0].auth else {
            panic!("{:?}", targets[0].auth);
        };
        assert_eq!((user.as_str(), password.expose_secret()), ("us@er", "p/w"));
        assert!(matches!(targets[1].auth, RegistryAuth::None));
    }

    #[test]
    fn given_credentials_win_over_the_urls() {
        let mut settings = RegistrySettings::new("http://user:pw@host");
        settings.auth = RegistryAuth::Bearer("token".into());
        let targets = Target::all(&settings).unwrap();
        assert!(matches!(targets[0].auth, RegistryAuth::Bearer(_)));
        assert_eq!(targets[0].url, "http://host");
    }

    #[test]
    fn nothing_shows_a_secret() {
        let mut settings = RegistrySettings::new("http://a:hidden@host,http://b:hidden@host/x");
        settings.auth = RegistryAuth::Bearer("hidden".into());
        assert_eq!(settings.display_url(), "http://host,http://host/x");
        let targets = Target::all(&settings).unwrap();
        for shown in [format!("{settings:?}"), format!("{targets:?}")] {
            assert!(!shown.contains("hidden"), "{shown}");
        }
    }

    #[test]
    fn bad_urls_say_what_is_wrong_and_hide_credentials() {
        for (url, shown) in [
            ("", "bad schema registry URL \"\": it is empty"),
            (
                "localhost:8081",
                "bad schema registry URL \"localhost:8081\": \
                 it must begin with http:// or https://",
            ),
            (
                "user:pw@host",
                "bad schema registry URL \"host\": it must begin with http:// or https://",
            ),
            (
                "ftp://user:pw@host",
                "bad schema registry URL \"ftp://host\": it must begin with http:// or https://",
            ),
            (
                "http://user:p/w@host:80",
                "bad schema registry URL \"http://host:80\": invalid port number",
            ),
            (
                "http://host:99999",
                "bad schema registry URL \"http://host:99999\": invalid port number",
            ),
            (
                "http://host/?x=1",
                "bad schema registry URL \"http://host/?x=1\": \
                 it must end with its path, without ? or #",
            ),
            ("http://", "bad schema registry URL \"http://\": empty host"),
        ] {
            assert_eq!(targets(url).unwrap_err().to_string(), shown);
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn bad_ca_files_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let mut settings = RegistrySettings::new("https://host");
        settings.ca_file = Some(path.clone());
        let error = || Registry::new(&settings).unwrap_err().to_string();
        use super::super::Registry;

        let prefix = format!("bad CA file {} for the schema registry: ", path.display());
        assert_eq!(error(), format!("{prefix}no such file or directory (os error 2)"));
        std::fs::write(&path, "hello").unwrap();
        assert_eq!(error(), format!("{prefix}it holds no PEM certificate"));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .unwrap();
        let text = error();
        assert!(text.starts_with(&prefix), "{text}");
        std::fs::write(&path, b"-----BEGIN CERTIFICATE-----\n\xff\xfe").unwrap();
        let text = error();
        assert!(text.starts_with(&prefix), "{text}");
    }
}
