//! TLS to brokers, by librdkafka's properties.

use fleetstorm_producer::Tls;
#[cfg(feature = "tls")]
use fleetstorm_producer::TlsError;

use super::error::DirectError;
#[cfg(feature = "tls")]
use crate::cluster::pem;
#[cfg(feature = "tls")]
use crate::sink::options::boolean;
use crate::sink::property::Property;

/// Reads the authorities, the client certificate, and what is checked.
///
/// # Errors
/// [`DirectError::Tls`] if a file can't be used, [`DirectError::Property`] for a property that this
/// transport doesn't support.
#[cfg(feature = "tls")]
pub fn read(properties: &[Property]) -> Result<Tls, DirectError> {
    let mut tls = Tls::builder();
    let (mut certificate, mut key, mut store) = (None, None, None);
    // The last value of a property wins. If a file and a text are given, both are trusted.
    let (mut authority, mut authority_file) = (None, None);
    let mut store_password = "";
    for property in properties {
        let Property { key: name, value } = property;
        let file = || std::fs::read(value).map_err(|error| wrong(name, error));
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
                let verified = match value.trim().to_ascii_lowercase().as_str() {
                    "none" => false,
                    "https" => true,
                    _ => return Err(DirectError::Value { property: name.clone() }),
                };
                tls.verify_hostname(verified);
            }
            "enable.ssl.certificate.verification" => {
                let verified =
                    boolean(value).ok_or_else(|| DirectError::Value { property: name.clone() })?;
                tls.verify_certificate(verified);
            }
            _ if name.starts_with("ssl.") => {
                return Err(DirectError::Property { property: name.clone() });
            }
            _ => {}
        }
    }
    let refused = |name: &str| {
        let name = name.to_owned();
        move |error: TlsError| wrong(&name, error)
    };
    if let Some((name, pem)) = authority {
        tls.trust_pem(pem.as_bytes()).map_err(refused(name))?;
    }
    if let Some((name, path)) = authority_file {
        let pem = std::fs::read(path).map_err(|error| wrong(name, error))?;
        tls.trust_pem(&pem).map_err(refused(name))?;
    }
    if let (Some(certificate), Some((name, path, key))) = (certificate, key) {
        let key = String::from_utf8_lossy(&key);
        let plain =
            pem::plain_key(&key).ok_or_else(|| wrong(name, pem::no_plain_key(&key, path)))?;
        tls.identity_pem(&certificate, plain.as_bytes()).map_err(refused(name))?;
    }
    if let Some((name, store)) = store {
        tls.identity_pkcs12(&store, store_password).map_err(refused(name))?;
    }
    tls.build().map_err(refused("security.protocol"))
}

#[cfg(not(feature = "tls"))]
pub fn read(_: &[Property]) -> Result<Tls, DirectError> {
    Tls::builder().build().map_err(|error| wrong("security.protocol", error))
}

fn wrong(property: &str, problem: impl ToString) -> DirectError {
    DirectError::Tls { property: property.to_owned(), problem: problem.to_string() }
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
        super::read(&properties).map_err(|error| error.to_string())
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
