//! TLS to a broker.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How connections are encrypted. `Debug` shows no key.
#[derive(Clone)]
pub struct Tls {
    #[cfg(feature = "tls")]
    connector: tokio_native_tls::TlsConnector,
}

/// What goes into [`Tls`]. Without any authority of its own it trusts those of the system.
pub struct TlsBuilder {
    #[cfg(feature = "tls")]
    builder: native_tls::TlsConnectorBuilder,
}

/// Why TLS can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A text holds no certificate.
    #[error("it holds no PEM certificate")]
    NoCertificate,
    /// The TLS library refuses what it was given, or the connection.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Library(#[from] native_tls::Error),
    /// The crate was built without the feature `tls`.
    #[error("this program was built without the feature tls")]
    NotBuilt,
}

impl Tls {
    /// TLS that is yet to be told whom to trust.
    #[must_use]
    pub fn builder() -> TlsBuilder {
        TlsBuilder {
            #[cfg(feature = "tls")]
            builder: native_tls::TlsConnector::builder(),
        }
    }

    /// Encrypts a connection to `host`.
    #[cfg(feature = "tls")]
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<Box<dyn Stream>, TlsError> {
        Ok(Box::new(self.connector.connect(host, stream).await?))
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) async fn connect(&self, _: &str, _: TcpStream) -> Result<Box<dyn Stream>, TlsError> {
        Err(TlsError::NotBuilt)
    }
}

#[cfg(feature = "tls")]
impl TlsBuilder {
    /// Trusts the authorities whose certificates stand in a PEM text, beside others given so, and no
    /// longer the system's.
    ///
    /// # Errors
    /// [`TlsError`] where the text holds no certificate, or one that can't be read.
    pub fn trust_pem(&mut self, pem: &[u8]) -> Result<&mut TlsBuilder, TlsError> {
        self.builder.disable_built_in_roots(true);
        let authorities = native_tls::Certificate::stack_from_pem(pem)?;
        if authorities.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        for authority in authorities {
            self.builder.add_root_certificate(authority);
        }
        Ok(self)
    }

    /// Shows a certificate of our own: PEM texts of the certificate, which others of its chain may
    /// follow, and of its key as plain PKCS #8.
    ///
    /// # Errors
    /// [`TlsError`] where they can't be read.
    pub fn identity_pem(
        &mut self,
        certificate: &[u8],
        key: &[u8],
    ) -> Result<&mut TlsBuilder, TlsError> {
        self.builder.identity(native_tls::Identity::from_pkcs8(certificate, key)?);
        Ok(self)
    }

    /// Shows the certificate of a PKCS #12 store.
    ///
    /// # Errors
    /// [`TlsError`] where it can't be read.
    pub fn identity_pkcs12(
        &mut self,
        store: &[u8],
        password: &str,
    ) -> Result<&mut TlsBuilder, TlsError> {
        self.builder.identity(native_tls::Identity::from_pkcs12(store, password)?);
        Ok(self)
    }

    /// Whether a broker's certificate has to be for its host, as it has unless set.
    pub fn verify_hostname(&mut self, verify: bool) -> &mut TlsBuilder {
        self.builder.danger_accept_invalid_hostnames(!verify);
        self
    }

    /// Whether a broker's certificate has to be valid at all, as it has unless set.
    pub fn verify_certificate(&mut self, verify: bool) -> &mut TlsBuilder {
        self.builder.danger_accept_invalid_certs(!verify);
        self
    }

    /// TLS of what was told.
    ///
    /// # Errors
    /// [`TlsError::Library`].
    pub fn build(&self) -> Result<Tls, TlsError> {
        Ok(Tls { connector: self.builder.build()?.into() })
    }
}

#[cfg(not(feature = "tls"))]
impl TlsBuilder {
    /// Nothing is trusted by a crate that has no TLS.
    ///
    /// # Errors
    /// [`TlsError::NotBuilt`].
    pub fn trust_pem(&mut self, _: &[u8]) -> Result<&mut TlsBuilder, TlsError> {
        Err(TlsError::NotBuilt)
    }

    /// The same of a certificate of our own.
    ///
    /// # Errors
    /// [`TlsError::NotBuilt`].
    pub fn identity_pem(&mut self, _: &[u8], _: &[u8]) -> Result<&mut TlsBuilder, TlsError> {
        Err(TlsError::NotBuilt)
    }

    /// The same of a store.
    ///
    /// # Errors
    /// [`TlsError::NotBuilt`].
    pub fn identity_pkcs12(&mut self, _: &[u8], _: &str) -> Result<&mut TlsBuilder, TlsError> {
        Err(TlsError::NotBuilt)
    }

    /// Nothing to be set.
    pub fn verify_hostname(&mut self, _: bool) -> &mut TlsBuilder {
        self
    }

    /// Nothing to be set.
    pub fn verify_certificate(&mut self, _: bool) -> &mut TlsBuilder {
        self
    }

    /// There is none.
    ///
    /// # Errors
    /// [`TlsError::NotBuilt`].
    pub fn build(&self) -> Result<Tls, TlsError> {
        Err(TlsError::NotBuilt)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl fmt::Debug for TlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsBuilder")
    }
}

/// A connection's bytes, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}
