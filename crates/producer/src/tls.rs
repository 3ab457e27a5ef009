//! TLS to a broker.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// TLS for connections. `Debug` shows no key.
#[derive(Clone)]
pub struct Tls {
    #[cfg(feature = "tls")]
    connector: tokio_native_tls::TlsConnector,
}

/// Builds [`Tls`]. Trusts the system's authorities unless given others.
pub struct TlsBuilder {
    #[cfg(feature = "tls")]
    builder: native_tls::TlsConnectorBuilder,
}

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The text holds no certificate.
    #[error("it holds no PEM certificate")]
    NoCertificate,
    /// The TLS library rejected its input, or the handshake failed.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Library(#[from] native_tls::Error),
    /// The crate was built without the feature `tls`.
    #[error("this program was built without the feature tls")]
    NotBuilt,
}

impl Tls {
    /// A builder with the defaults.
    #[must_use]
    pub fn builder() -> TlsBuilder {
        TlsBuilder {
            #[cfg(feature = "tls")]
            builder: native_tls::TlsConnector::builder(),
        }
    }

    /// Makes a TLS handshake with `host`.
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
    /// Trusts the authorities in a PEM text, beside others given so, and no longer the system's.
    ///
    /// # Errors
    /// [`TlsError`] if the text holds no certificate, or one that can't be read.
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

    /// Sets the client certificate: PEM texts of the certificate, which others of its chain may follow,
    /// and of its key as plain PKCS #8.
    ///
    /// # Errors
    /// [`TlsError`] if they can't be read.
    pub fn identity_pem(
        &mut self,
        certificate: &[u8],
        key: &[u8],
    ) -> Result<&mut TlsBuilder, TlsError> {
        self.builder.identity(native_tls::Identity::from_pkcs8(certificate, key)?);
        Ok(self)
    }

    /// Sets the client certificate from a PKCS #12 store.
    ///
    /// # Errors
    /// [`TlsError`] if it can't be read.
    pub fn identity_pkcs12(
        &mut self,
        store: &[u8],
        password: &str,
    ) -> Result<&mut TlsBuilder, TlsError> {
        self.builder.identity(native_tls::Identity::from_pkcs12(store, password)?);
        Ok(self)
    }

    /// Whether a broker's certificate must be for its host. Default true.
    pub fn verify_hostname(&mut self, verify: bool) -> &mut TlsBuilder {
        self.builder.danger_accept_invalid_hostnames(!verify);
        self
    }

    /// Whether a broker's certificate must be valid. Default true.
    pub fn verify_certificate(&mut self, verify: bool) -> &mut TlsBuilder {
        self.builder.danger_accept_invalid_certs(!verify);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// [`TlsError::Library`].
    pub fn build(&self) -> Result<Tls, TlsError> {
        Ok(Tls { connector: self.builder.build()?.into() })
    }
}

#[cfg(not(feature = "tls"))]
impl TlsBuilder {
    /// Fails: this build has no TLS.
    ///
    /// # Errors
    /// [`TlsError::NotBuilt`].
    pub fn trust_pem(&mut self, _: &[u8]) -> Result<&mut TlsBuilder, TlsError> {
        Err(TlsError::NotBuilt)
    }

    /// Fails: this build has no TLS.
    ///
    /// # Errors
    /// [`TlsError::NotBuilt`].
    pub fn identity_pem(&mut self, _: &[u8], _: &[u8]) -> Result<&mut TlsBuilder, TlsError> {
        Err(TlsError::NotBuilt)
    }

    /// Fails: this build has no TLS.
    ///
    /// # Errors
    /// [`TlsError::NotBuilt`].
    pub fn identity_pkcs12(&mut self, _: &[u8], _: &str) -> Result<&mut TlsBuilder, TlsError> {
        Err(TlsError::NotBuilt)
    }

    /// Does nothing: this build has no TLS.
    pub fn verify_hostname(&mut self, _: bool) -> &mut TlsBuilder {
        self
    }

    /// Does nothing: this build has no TLS.
    pub fn verify_certificate(&mut self, _: bool) -> &mut TlsBuilder {
        self
    }

    /// Fails: this build has no TLS.
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

/// A byte stream, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}
