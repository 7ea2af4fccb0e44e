//! The certificate that a port shows, and which certificates it takes from its callers.
//!
//! Knows nothing of HTTP beyond the names by which TLS agrees on its version.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, CertificateError, RootCertStore, ServerConfig};
use tokio_rustls::{Accept, TlsAcceptor};

/// What the port speaks inside TLS, as ALPN names it.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The first second after those that a certificate can name: the year 10000, since 1970.
const END_OF_TIME: Duration = Duration::from_secs(253_402_300_800);

/// Bytes that TLS holds of what was written and not taken, for each connection; more is not written. The
/// budget does not count them. A record of TLS has up to 16 KiB.
const MAX_UNTAKEN: usize = 16 * 1024;

/// TLS for a port: versions 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
///
/// A handshake takes place in the task of its connection and has [`ServeOptions::handshake_timeout`], so
/// one that does not come holds up nobody.
///
/// Handlers find the address of a caller by [`tonic::Request::remote_addr`] and its certificates by
/// [`tonic::Request::peer_certs`].
///
/// [`ServeOptions::handshake_timeout`]: crate::ServeOptions::handshake_timeout
#[derive(Clone)]
pub struct Tls {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
    clients: Option<ClientCertificates>,
    config: Arc<ServerConfig>,
}

/// What happens when a caller shows no certificate. One that is shown has to be good in either case, or
/// the handshake fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Callers are asked for a certificate and served without one too.
    Optional,
    /// Without a certificate the handshake fails.
    Required,
}

/// Why a certificate or a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificates' PEM holds no section `CERTIFICATE`.
    #[error("it holds no certificate in PEM form")]
    NoCertificate,
    /// The certificates' PEM is damaged.
    #[error("it is no valid PEM")]
    Certificate(#[source] pem::Error),
    /// The key's PEM is damaged, or holds no private key. Keys with a password are not read.
    #[error("it holds no private key in PEM form")]
    Key(#[source] pem::Error),
    /// The key is not the certificate's, or one of them is of a kind that is not supported.
    #[error("certificate and key cannot be used together")]
    Pair(#[source] rustls::Error),
    /// A certificate authority's certificate is not valid.
    #[error("it holds no certificate of an authority that can be used")]
    Authority(#[source] AuthorityError),
}

/// What is wrong with the certificates of authorities.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct AuthorityError(Box<dyn std::error::Error + Send + Sync>);

impl Tls {
    /// Shows the first certificate of `certificates`, with the others as its chain, and proves with `key`
    /// that it is its own. Both are PEM; the key PKCS#8, PKCS#1 or SEC1.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = read_certificates(certificates)?;
        let key = Arc::new(PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?);
        let config = Arc::new(config(&chain, &key, None)?);
        Ok(Self { chain, key, clients: None, config })
    }

    /// Asks callers for a certificate that one of `authorities` (PEM) has signed, or that is among them.
    pub fn verify_clients(
        mut self,
        authorities: &[u8],
        clients: ClientCertificates,
    ) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in read_certificates(authorities)? {
            roots.add(authority).map_err(|error| TlsError::Authority(AuthorityError(error.into())))?;
        }
        let verifier =
            verifier(roots, clients).map_err(|error| TlsError::Authority(AuthorityError(error.into())))?;
        let alpn_protocols = self.config.alpn_protocols.clone();
        let mut config = config(&self.chain, &self.key, Some(verifier))?;
        config.alpn_protocols = alpn_protocols;
        self.config = Arc::new(config);
        self.clients = Some(clients);
        Ok(self)
    }

    /// Offers HTTP/1.1 alone, as a server behind an old proxy has to, or one that is tested. Browsers take
    /// HTTP/2 whenever it is offered. Native gRPC is not possible then.
    #[must_use]
    pub fn http1_only(mut self) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = vec![HTTP1.to_vec()];
        self
    }

    /// When the certificate expires that is shown. `None` when that cannot be read.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        expiry(self.chain.first()?)
    }

    /// Shakes hands on `stream`.
    pub(crate) fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Accept<S> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        acceptor.accept_with(stream, |connection| connection.set_buffer_limit(Some(MAX_UNTAKEN)))
    }
}

impl fmt::Debug for Tls {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("certificates", &self.chain.len())
            .field("clients", &self.clients)
            .finish_non_exhaustive()
    }
}

fn read_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TlsError::Certificate)?;
    if certificates.is_empty() { Err(TlsError::NoCertificate) } else { Ok(certificates) }
}

/// The library that verifies certificates says when one expires only where it refuses the certificate for that;
/// at the end of time every one has expired. It looks at that first, so what else it thinks does not matter.
fn expiry(certificate: &CertificateDer<'static>) -> Option<SystemTime> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).ok()?;
    let verifier = verifier(roots, ClientCertificates::Required).ok()?;
    let refusal = verifier.verify_client_cert(certificate, &[], UnixTime::since_unix_epoch(END_OF_TIME));
    match refusal {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(not_after.as_secs()))
        }
        _ => None,
    }
}

/// Named here and not taken from the process, where another library may have chosen differently.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn verifier(
    roots: RootCertStore,
    clients: ClientCertificates,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    match clients {
        ClientCertificates::Optional => builder.allow_unauthenticated().build(),
        ClientCertificates::Required => builder.build(),
    }
}

fn config(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?;
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain.to_vec(), key.clone_key()).map_err(TlsError::Pair)?;
    // The better one first.
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;
    use rcgen::{CertificateParams, KeyPair};
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::ClientConfig;
    use tokio_rustls::rustls::pki_types::ServerName;

    use super::*;

    #[tokio::test]
    async fn what_a_client_does_not_take_is_not_piled_up_as_ciphertext() {
        const PIPE: usize = 1024;
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let tls = Tls::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (near, far) = duplex(PIPE);
        let connector = TlsConnector::from(Arc::new(client));
        let name = ServerName::try_from("localhost").unwrap();
        let (server, client) = tokio::join!(tls.accept(near), connector.connect(name, far));
        let (mut server, _client) = (server.unwrap(), client.unwrap());

        let mut held = 0;
        while held < 1024 * 1024
            && let Some(written) = pin!(server.write(&[0; 1024])).now_or_never()
        {
            held += written.unwrap();
        }

        assert!(held <= MAX_UNTAKEN + 2 * PIPE, "{held} bytes wait");
    }
}
