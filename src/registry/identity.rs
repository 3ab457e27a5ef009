//! Certificates: the registry's authorities, and the client certificate.

use std::path::{Path, PathBuf};

use reqwest::blocking::ClientBuilder;

#[cfg(feature = "tls")]
use super::cause::root_cause;
use super::error::RegistryError;
#[cfg(feature = "tls")]
use crate::cluster::pem;

/// A client certificate and its key: PEM files, perhaps the same one. The key is not encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, perhaps followed by those of its chain.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// Authorities to trust beside the system's, and a client certificate. `Debug` shows no key.
#[derive(Clone, Debug, Default)]
pub(super) struct Identities {
    #[cfg(feature = "tls")]
    authorities: Vec<reqwest::Certificate>,
    #[cfg(feature = "tls")]
    own: Option<reqwest::Identity>,
}

#[cfg(not(feature = "tls"))]
pub(super) const NO_TLS: &str = "this program was built without the feature tls";

impl Identities {
    /// Reads the given files.
    #[cfg(feature = "tls")]
    pub(super) fn read(
        ca_file: Option<&Path>,
        own: Option<&ClientCertificate>,
    ) -> Result<Identities, RegistryError> {
        let mut identities = Identities::default();
        if let Some(path) = ca_file {
            identities.trust(path)?;
        }
        if let Some(files) = own {
            identities.own = Some(identity(files)?);
        }
        Ok(identities)
    }

    #[cfg(not(feature = "tls"))]
    pub(super) fn read(
        ca_file: Option<&Path>,
        own: Option<&ClientCertificate>,
    ) -> Result<Identities, RegistryError> {
        let problem = NO_TLS.to_owned();
        match (ca_file, own) {
            (Some(path), _) => Err(RegistryError::CaFile { path: path.to_owned(), problem }),
            (None, Some(files)) => {
                let path = files.certificate.clone();
                Err(RegistryError::ClientCertificate { path, problem })
            }
            (None, None) => Ok(Identities::default()),
        }
    }

    /// Adds them to a client.
    pub(super) fn known_to(&self, client: ClientBuilder) -> ClientBuilder {
        #[cfg(feature = "tls")]
        let client = client.tls_certs_merge(self.authorities.iter().cloned());
        #[cfg(feature = "tls")]
        let client = match &self.own {
            Some(own) => client.identity(own.clone()),
            None => client,
        };
        client
    }

    #[cfg(feature = "tls")]
    fn trust(&mut self, path: &Path) -> Result<(), RegistryError> {
        let bad = |problem: String| RegistryError::CaFile { path: path.to_owned(), problem };
        let pem = std::fs::read(path).map_err(|e| bad(e.to_string().to_lowercase()))?;
        self.authorities = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|e| bad(format!("not PEM: {}", root_cause(&e))))?;
        if self.authorities.is_empty() {
            return Err(bad("it holds no PEM certificate".to_owned()));
        }
        // Only building a client checks what is inside a certificate.
        match self.known_to(reqwest::blocking::Client::builder()).build() {
            Ok(_) => Ok(()),
            Err(e) => Err(bad(format!("a certificate in it can't be read: {}", root_cause(&e)))),
        }
    }
}

/// The client certificate with its key.
#[cfg(feature = "tls")]
fn identity(files: &ClientCertificate) -> Result<reqwest::Identity, RegistryError> {
    let bad = |path: &Path, problem: String| RegistryError::ClientCertificate {
        path: path.to_owned(),
        problem,
    };
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|e| bad(path, e.to_string().to_lowercase()))
    };
    let (certificate, key) = (read(&files.certificate)?, read(&files.key)?);
    if !certificate.contains("-----BEGIN CERTIFICATE-----") {
        return Err(bad(&files.certificate, "it holds no PEM certificate".to_owned()));
    }
    // Both may be in one file, in any order.
    let Some(block) = pem::plain_key(&key) else {
        return Err(bad(&files.key, pem::no_plain_key(&key, &files.key.to_string_lossy())));
    };
    let identity = reqwest::Identity::from_pkcs8_pem(certificate.as_bytes(), block.as_bytes())
        .map_err(|e| bad(&files.certificate, format!("it can't be read: {}", root_cause(&e))))?;
    // Only building a client checks that the key belongs to the certificate.
    let client = reqwest::blocking::Client::builder().identity(identity.clone());
    match client.build() {
        Ok(_) => Ok(identity),
        Err(e) => {
            Err(bad(&files.certificate, format!("it doesn't match its key: {}", root_cause(&e))))
        }
    }
}
