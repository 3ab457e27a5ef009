//! TLS to a broker, by the properties that librdkafka reads.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::DirectError;
#[cfg(feature = "tls")]
use super::settings::truth;
#[cfg(feature = "tls")]
use crate::cluster::pem;
use crate::sink::kafka::Property;

/// A connection's bytes, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// How connections are encrypted. `Debug` shows no key.
#[derive(Clone)]
pub(super) struct Tls {
    #[cfg(feature = "tls")]
    connector: tokio_native_tls::TlsConnector,
}

impl Tls {
    /// Reads the authorities, the certificate of our own and what is checked.
    ///
    /// # Errors
    /// [`DirectError::Tls`] where a file can't be used, [`DirectError::Property`] for a property
    /// that this transport doesn't have.
    #[cfg(feature = "tls")]
    pub(super) fn read(properties: &[Property]) -> Result<Tls, DirectError> {
        let mut builder = native_tls::TlsConnector::builder();
        let (mut certificate, mut key, mut store) = (None, None, None);
        // The last of a name wins; both of them are trusted.
        let (mut authority, mut authority_file) = (None, None);
        let mut store_password = "";
        for property in properties {
            let Property { key: name, value } = property;
            let wrong = |problem: String| DirectError::Tls { property: name.clone(), problem };
            let file = || std::fs::read(value).map_err(|e| wrong(e.to_string()));
            match name.as_str() {
                "ssl.ca.location" => authority_file = Some((name, value)),
                "ssl.ca.pem" => authority = Some((name, value)),
                "ssl.certificate.location" => certificate = Some(file()?),
                "ssl.certificate.pem" => certificate = Some(value.as_bytes().to_vec()),
                "ssl.key.location" => key = Some((name, value.as_str(), file()?)),
                "ssl.key.pem" => key = Some((name, "KEY", value.as_bytes().to_vec())),
                "ssl.keystore.location" => store = Some((name, file()?)),
                "ssl.keystore.password" => store_password = value,
                "ssl.endpoint.identification.algorithm" => {
                    let any = match value.trim().to_ascii_lowercase().as_str() {
                        "none" => true,
                        "https" => false,
                        _ => return Err(DirectError::Value { property: name.clone() }),
                    };
                    builder.danger_accept_invalid_hostnames(any);
                }
                "enable.ssl.certificate.verification" => {
                    let verified = truth(value)
                        .ok_or_else(|| DirectError::Value { property: name.clone() })?;
                    builder.danger_accept_invalid_certs(!verified);
                }
                _ if name.starts_with("ssl.") => {
                    return Err(DirectError::Property { property: name.clone() });
                }
                _ => {}
            }
        }
        let wrong = |property: &String, problem: String| DirectError::Tls {
            property: property.clone(),
            problem,
        };
        if let Some((name, pem)) = authority {
            trust(&mut builder, pem.as_bytes()).map_err(|problem| wrong(name, problem))?;
        }
        if let Some((name, path)) = authority_file {
            let pem = std::fs::read(path).map_err(|error| wrong(name, error.to_string()))?;
            trust(&mut builder, &pem).map_err(|problem| wrong(name, problem))?;
        }
        if let (Some(certificate), Some((name, path, key))) = (certificate, key) {
            let key = String::from_utf8_lossy(&key);
            let plain =
                pem::plain_key(&key).ok_or_else(|| wrong(name, pem::no_plain_key(&key, path)))?;
            let identity = native_tls::Identity::from_pkcs8(&certificate, plain.as_bytes())
                .map_err(|error| wrong(name, error.to_string()))?;
            builder.identity(identity);
        }
        if let Some((name, store)) = store {
            let identity = native_tls::Identity::from_pkcs12(&store, store_password)
                .map_err(|error| wrong(name, error.to_string()))?;
            builder.identity(identity);
        }
        let connector = builder.build().map_err(|error| DirectError::Tls {
            property: "security.protocol".to_owned(),
            problem: error.to_string(),
        })?;
        Ok(Tls { connector: connector.into() })
    }

    #[cfg(not(feature = "tls"))]
    pub(super) fn read(_: &[Property]) -> Result<Tls, DirectError> {
        Err(DirectError::Tls {
            property: "security.protocol".to_owned(),
            problem: "this program was built without the feature tls".to_owned(),
        })
    }

    /// Encrypts a connection to `host`.
    ///
    /// # Errors
    /// Why not, in the library's words.
    pub(super) async fn wrap(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<Box<dyn Stream>, String> {
        #[cfg(feature = "tls")]
        {
            let wrapped = self.connector.connect(host, stream).await;
            wrapped.map(|s| Box::new(s) as Box<dyn Stream>).map_err(|error| error.to_string())
        }
        #[cfg(not(feature = "tls"))]
        {
            let _ = (host, stream);
            Err("no TLS".to_owned())
        }
    }
}

#[cfg(feature = "tls")]
fn trust(builder: &mut native_tls::TlsConnectorBuilder, pem: &[u8]) -> Result<(), String> {
    builder.disable_built_in_roots(true);
    let authorities = native_tls::Certificate::stack_from_pem(pem).map_err(|e| e.to_string())?;
    if authorities.is_empty() {
        return Err("it holds no PEM certificate".to_owned());
    }
    for authority in authorities {
        builder.add_root_certificate(authority);
    }
    Ok(())
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::x509::X509;

    use super::*;

    fn read(properties: &[&str]) -> Result<Tls, String> {
        let properties: Vec<Property> = properties.iter().map(|p| p.parse().unwrap()).collect();
        Tls::read(&properties).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_read_as_librdkafka_reads_them() {
        for (property, is_read) in [
            ("enable.ssl.certificate.verification=False", true),
            ("enable.ssl.certificate.verification=0", true),
            ("enable.ssl.certificate.verification=maybe", false),
            ("ssl.endpoint.identification.algorithm=None", true),
            ("ssl.endpoint.identification.algorithm=HTTPS", true),
            ("ssl.endpoint.identification.algorithm=dns", false),
            ("ssl.crl.location=/crl.pem", false),
        ] {
            assert_eq!(read(&[property]).is_ok(), is_read, "{property}");
        }
    }

    #[test]
    fn the_last_authority_of_a_name_is_the_one_that_is_trusted() {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut certificate = X509::builder().unwrap();
        certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        certificate.set_pubkey(&key).unwrap();
        certificate.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), certificate.build().to_pem().unwrap()).unwrap();
        let (there, gone) =
            (format!("ssl.ca.location={}", file.path().display()), "ssl.ca.location=/none.pem");
        assert_eq!(read(&[gone, &there]).err(), None);
        let error = read(&[&there, gone]).unwrap_err();
        assert!(error.contains("ssl.ca.location"), "{error}");
    }
}
