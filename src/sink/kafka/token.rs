//! Tokens for SASL OAUTHBEARER by OAuth's client credentials grant: librdkafka's
//! `sasl.oauthbearer.method=oidc`, for which librdkafka itself needs a libcurl that few builds have.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rdkafka::client::OAuthToken;
use reqwest::Url;
use reqwest::blocking::Client;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::error::KafkaError;
use crate::registry::{body_of, one_line, root_cause};
use crate::sink::property::{Property, canonical};

/// Fetches tokens from an authorisation server, and keeps a valid one for all clients of a run. `Debug`
/// shows no secret.
#[derive(Debug)]
pub struct TokenSource {
    endpoint: Url,
    client_id: String,
    client_secret: SecretString,
    scope: Option<String>,
    extensions: Vec<(String, String)>,
    ca_file: Option<PathBuf>,
    kept: Mutex<Kept>,
}

/// The last answer.
#[derive(Debug, Default)]
struct Kept {
    token: Option<Token>,
    /// When the last attempt failed, and why.
    failed: Option<(Instant, TokenError)>,
}

/// A token. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token itself.
    pub text: SecretString,
    /// Its principal.
    pub principal: String,
    /// When it expires, in milliseconds since the epoch.
    pub ends_ms: i64,
    /// From when on another one is fetched.
    stale_ms: i64,
}

/// A token of `tokens`, as librdkafka asks its clients for one.
///
/// # Errors
/// Why there is none.
pub fn oauth_token(tokens: Option<&TokenSource>) -> Result<OAuthToken, Box<dyn Error>> {
    let token = tokens.ok_or("there is nowhere to get one from")?.token()?;
    Ok(OAuthToken {
        token: token.text.expose_secret().to_owned(),
        principal_name: token.principal,
        lifetime_ms: token.ends_ms,
    })
}

/// The timeout of the authorisation server.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a failure is kept before the server is asked again, so that a client's own request, and ours
/// for it, wait only once.
const PAUSE: Duration = Duration::from_secs(5);
/// The lifetime of a token that doesn't say.
const LIFETIME: Duration = Duration::from_secs(300);
/// The most bytes of an answer that are read.
const LARGEST: usize = 1 << 20;

/// The properties of a source, by their canonical names.
const METHOD: &str = "sasl.oauthbearer.method";
const OWN: [&str; 8] = [
    METHOD,
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.grant.type",
    "https.ca.location",
];

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The authorisation server can't be reached, or doesn't answer.
    #[error("{0}")]
    Unanswered(String),
    /// It refuses.
    #[error("it answered {0}")]
    Refused(String),
    /// Its answer has none.
    #[error("its answer holds no access_token")]
    NoToken,
    /// The certificate authority can't be read.
    #[error("https.ca.location can't be read: {0}")]
    Authority(String),
    /// A certificate authority is given, but this build has no TLS.
    #[error("https.ca.location can't be used: this program was built without tls")]
    WithoutTls,
    /// Any of these, with the server's URL.
    #[error("{problem} ({server})")]
    At {
        /// What went wrong.
        problem: String,
        /// The server.
        server: String,
    },
    /// librdkafka rejects the token.
    #[error("{0}")]
    NotTaken(String),
}

impl TokenSource {
    /// Takes the properties of a source out of `properties`; `None` if they ask for none.
    ///
    /// # Errors
    /// [`KafkaError::Settings`] if something is missing or invalid.
    pub fn take(properties: &mut Vec<Property>) -> Result<Option<TokenSource>, KafkaError> {
        let asked = properties.iter().rev().find(|property| property.key == METHOD);
        if !asked.is_some_and(|property| property.value.trim().eq_ignore_ascii_case("oidc")) {
            return Ok(None);
        }
        let is_own = |property: &mut Property| OWN.contains(&canonical(&property.key));
        let own: Vec<Property> = properties.extract_if(.., is_own).collect();
        let get = |key: &str| {
            let found = own.iter().rev().find(|property| canonical(&property.key) == key);
            found.map(|property| property.value.as_str()).filter(|value| !value.is_empty())
        };
        let need = |key: &'static str| {
            get(key).ok_or_else(|| wrong(&format!("`{key}` is needed for {METHOD}=oidc")))
        };
        let grant = get("sasl.oauthbearer.grant.type").unwrap_or("client_credentials");
        if grant.trim() != "client_credentials" {
            return Err(wrong("`sasl.oauthbearer.grant.type` must be client_credentials"));
        }
        let url = need("sasl.oauthbearer.token.endpoint.url")?;
        let endpoint = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.username().is_empty())
            .ok_or_else(|| {
                wrong(
                    "`sasl.oauthbearer.token.endpoint.url` must be a URL that begins with https:// \
                     or http:// and holds no user",
                )
            })?;
        let extensions = get("sasl.oauthbearer.extensions").unwrap_or_default();
        let pair = |text: &str| text.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        Ok(Some(TokenSource {
            endpoint,
            client_id: need("sasl.oauthbearer.client.id")?.to_owned(),
            client_secret: need("sasl.oauthbearer.client.secret")?.into(),
            scope: get("sasl.oauthbearer.scope").map(str::to_owned),
            extensions: extensions.split(',').filter_map(|text| pair(text.trim())).collect(),
            ca_file: get("https.ca.location").map(PathBuf::from),
            kept: Mutex::default(),
        }))
    }

    /// A valid token. Waits for the authorisation server unless one is kept.
    ///
    /// # Errors
    /// Why there is none.
    pub fn token(&self) -> Result<Token, TokenError> {
        let mut kept = self.kept.lock();
        if let Some(token) = kept.token.as_ref().filter(|token| now_ms() < token.stale_ms) {
            return Ok(token.clone());
        }
        if let Some((_, problem)) = kept.failed.as_ref().filter(|(at, _)| at.elapsed() < PAUSE) {
            return Err(problem.clone());
        }
        match self.ask() {
            Ok(token) => {
                *kept = Kept { token: Some(token.clone()), failed: None };
                Ok(token)
            }
            Err(problem) => {
                let problem =
                    TokenError::At { problem: problem.to_string(), server: self.to_string() };
                kept.failed = Some((Instant::now(), problem.clone()));
                Err(problem)
            }
        }
    }

    /// The SASL extensions that go with each token: names and values.
    pub fn extensions(&self) -> &[(String, String)] {
        &self.extensions
    }

    fn ask(&self) -> Result<Token, TokenError> {
        let mut body = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &self.scope {
            body.push_str("&scope=");
            body.extend(utf8_percent_encode(scope, NON_ALPHANUMERIC));
        }
        let asked = Instant::now();
        let answer = self
            .client()?
            .post(self.endpoint.clone())
            .basic_auth(&self.client_id, Some(self.client_secret.expose_secret()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .send()
            // Its URL may have a secret query.
            .map_err(|error| TokenError::Unanswered(root_cause(&error.without_url())))?;
        let status = answer.status();
        let text = body_of(answer, LARGEST, asked + TIMEOUT)
            .map_err(|error| TokenError::Unanswered(error.to_string()))?;
        if !status.is_success() {
            let said: Refused = serde_json::from_slice(&text).unwrap_or_default();
            let said = [said.error, said.error_description].join(" ");
            return Err(TokenError::Refused(one_line(&format!("{status} {said}"))));
        }
        let granted: Granted = serde_json::from_slice(&text).map_err(|_| TokenError::NoToken)?;
        Ok(self.granted(granted, now_ms()))
    }

    /// The token in an answer that came at `now_ms`. If it is a JWT, its own claims count.
    fn granted(&self, granted: Granted, now_ms: i64) -> Token {
        let claims = claims(&granted.access_token).unwrap_or_default();
        let by_answer =
            granted.expires_in.map(|seconds| now_ms.saturating_add(seconds.saturating_mul(1000)));
        let by_token = claims.exp.map(|seconds| (seconds * 1000.0) as i64);
        let unknown = now_ms + LIFETIME.as_millis() as i64;
        let ends_ms = by_token.or(by_answer).unwrap_or(unknown);
        Token {
            text: granted.access_token.into(),
            principal: claims.sub.unwrap_or_else(|| self.client_id.clone()),
            ends_ms,
            // The client itself refreshes at four fifths.
            stale_ms: now_ms + (ends_ms - now_ms) / 10 * 7,
        }
    }

    fn client(&self) -> Result<Client, TokenError> {
        // A redirect would send the secret elsewhere.
        let builder = Client::builder().timeout(TIMEOUT).redirect(Policy::none());
        #[cfg(feature = "tls")]
        let builder = match &self.ca_file {
            Some(path) => {
                let unread = TokenError::Authority;
                let pem = std::fs::read(path).map_err(|error| unread(error.to_string()))?;
                let authorities = reqwest::Certificate::from_pem_bundle(&pem)
                    .map_err(|error| unread(root_cause(&error)))?;
                builder.tls_certs_merge(authorities)
            }
            None => builder,
        };
        #[cfg(not(feature = "tls"))]
        if self.ca_file.is_some() {
            return Err(TokenError::WithoutTls);
        }
        builder.build().map_err(|error| TokenError::Unanswered(root_cause(&error)))
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path) = (self.endpoint.scheme(), self.endpoint.path());
        let host = self.endpoint.host_str().unwrap_or_default();
        match self.endpoint.port() {
            Some(port) => write!(f, "{scheme}://{host}:{port}{path}"),
            None => write!(f, "{scheme}://{host}{path}"),
        }
    }
}

/// An answer with a token.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// Seconds.
    expires_in: Option<i64>,
}

/// An answer without.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refused {
    error: String,
    error_description: String,
}

/// The claims of a JWT.
#[derive(Default, Deserialize)]
struct Claims {
    sub: Option<String>,
    /// Seconds since the epoch.
    exp: Option<f64>,
}

fn claims(token: &str) -> Option<Claims> {
    let body = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

fn wrong(problem: &str) -> KafkaError {
    KafkaError::Settings(problem.to_owned())
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(more: &[&str]) -> Vec<Property> {
        let given = [
            "sasl.oauthbearer.method=oidc",
            "sasl.oauthbearer.token.endpoint.url=https://idp.example:8443/token?x=1",
            "sasl.oauthbearer.client.credentials.client.id=me",
            "sasl.oauthbearer.client.secret=hidden",
        ];
        given.iter().chain(more).map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_source_is_taken_out_of_the_properties() {
        let mut given = properties(&["linger.ms=5", "sasl.oauthbearer.extensions=a=b, c=d"]);
        let source = TokenSource::take(&mut given).unwrap().unwrap();
        assert_eq!(given, [Property::new("linger.ms", "5")]);
        assert_eq!(source.client_id, "me");
        assert_eq!(source.extensions().len(), 2);
        assert_eq!(source.to_string(), "https://idp.example:8443/token");
        assert!(!format!("{source:?}").contains("hidden"));
    }

    #[test]
    fn other_ways_to_a_token_are_left_to_the_client() {
        let mut given = vec![Property::new("sasl.oauthbearer.method", "default")];
        assert!(TokenSource::take(&mut given).unwrap().is_none());
        assert_eq!(given.len(), 1);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (more, named) in [
            ("sasl.oauthbearer.client.secret=", "sasl.oauthbearer.client.secret"),
            ("sasl.oauthbearer.token.endpoint.url=idp", "sasl.oauthbearer.token.endpoint.url"),
            ("sasl.oauthbearer.token.endpoint.url=https://a:hidden@b", "holds no user"),
            ("sasl.oauthbearer.grant.type=jwt", "sasl.oauthbearer.grant.type"),
        ] {
            let error = TokenSource::take(&mut properties(&[more])).unwrap_err().to_string();
            assert!(error.contains(named) && !error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn a_token_says_whose_it_is_and_when_it_ends() {
        let source = TokenSource::take(&mut properties(&[])).unwrap().unwrap();
        let granted = |access_token: &str, expires_in| {
            source.granted(Granted { access_token: access_token.to_owned(), expires_in }, 1_000)
        };
        let body = URL_SAFE_NO_PAD.encode(r#"{"sub":"fleet","exp":61.0}"#);
        let token = granted(&format!("e30.{body}."), Some(5));
        assert_eq!((token.principal.as_str(), token.ends_ms), ("fleet", 61_000));
        assert_eq!(token.stale_ms, 43_000);
        let token = granted("opaque", Some(5));
        assert_eq!((token.principal.as_str(), token.ends_ms), ("me", 6_000));
        assert_eq!(granted("opaque", None).ends_ms, 301_000);
        assert!(!format!("{token:?}").contains("opaque"));
    }
}
