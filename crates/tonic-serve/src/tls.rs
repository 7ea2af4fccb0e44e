//! The server's certificate, and the verification of client certificates (mTLS).
//!
//! Knows nothing of HTTP beyond the ALPN names of its versions.

mod challenge;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, CertificateError, RootCertStore, ServerConfig};
use tokio_rustls::{Accept, TlsAcceptor};

/// The ALPN names of the HTTP versions.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The first second that no certificate can name: the year 10000, since 1970.
const END_OF_TIME: Duration = Duration::from_secs(253_402_300_800);

/// Bytes that TLS buffers for each connection until the socket takes them; more is not written. The budget does not count them.
/// A TLS record has up to 16 KiB.
const MAX_UNSENT: usize = 16 * 1024;

/// TLS for a port: versions 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
///
/// A handshake runs in the task of its connection within [`ServeOptions::handshake_timeout`], so it delays no other connection.
///
/// Handlers get the address of a caller from [`tonic::Request::remote_addr`] and its certificates from
/// [`tonic::Request::peer_certs`].
///
/// [`ServeOptions::handshake_timeout`]: field@crate::ServeOptions::handshake_timeout
/// Clones share the certificate, which [`replace_certificate`](Self::replace_certificate) exchanges while the port is served.
#[derive(Clone)]
pub struct Tls(Arc<Mutex<Current>>);

/// The parts of the configuration in force.
#[derive(Clone)]
struct Current {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
    clients: Option<(ClientCertificates, Arc<dyn ClientCertVerifier>)>,
    alpn: Vec<Vec<u8>>,
    config: Arc<ServerConfig>,
}

/// Whether clients need a certificate. In either case, the handshake fails on an invalid one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Clients are asked for a certificate, and served without one.
    Optional,
    /// The handshake fails without a certificate.
    Required,
}

/// A certificate or a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The PEM has no `CERTIFICATE` section.
    #[error("no certificate in the PEM")]
    NoCertificate,
    /// The PEM of the certificates is invalid.
    #[error("invalid PEM")]
    Certificate(#[source] pem::Error),
    /// The PEM of the key is invalid, or has no private key. Encrypted keys are not supported.
    #[error("no private key in the PEM")]
    Key(#[source] pem::Error),
    /// The key does not belong to the certificate, or one of them has an unsupported algorithm.
    #[error("certificate and key do not match")]
    Pair(#[source] rustls::Error),
    /// The certificates of the authorities are invalid.
    #[error("no usable certificate of an authority")]
    Authority(#[source] AuthorityError),
}

/// The fault in the certificates of authorities.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct AuthorityError(Box<dyn std::error::Error + Send + Sync>);

impl Tls {
    /// Uses the first certificate of `certificates`, with the others as its chain, and its private key. Both are PEM; the key
    /// is PKCS#8, PKCS#1 or SEC1.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        // In order of preference.
        let alpn = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(Self::of(Current::new(certificates, key, None, alpn)?))
    }

    /// Uses another certificate with its key from the next handshake on; open connections keep theirs. What else was configured
    /// stays. Tells whether the certificate is another one than before.
    ///
    /// # Errors
    ///
    /// As for [`from_pem`](Self::from_pem); the certificate in force stays.
    pub fn replace_certificate(&self, certificates: &[u8], key: &[u8]) -> Result<bool, TlsError> {
        let Current { chain, clients, alpn, .. } = self.current();
        let new = Current::new(certificates, key, clients, alpn)?;
        let is_other = new.chain != chain;
        *self.lock() = new;
        Ok(is_other)
    }

    /// Asks clients for a certificate that one of `authorities` (PEM) has signed, or that is one of them.
    pub fn verify_clients(self, authorities: &[u8], clients: ClientCertificates) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in read_certificates(authorities)? {
            roots.add(authority).map_err(|error| TlsError::Authority(AuthorityError(error.into())))?;
        }
        let verifier =
            verifier(roots, clients).map_err(|error| TlsError::Authority(AuthorityError(error.into())))?;
        let current = Current { clients: Some((clients, verifier)), ..self.current() };
        Ok(Self::of(current.configured()?))
    }

    /// Offers only HTTP/1.1, for old proxies and for tests, because browsers choose HTTP/2 whenever it is offered. Native gRPC
    /// is not possible then. Default: both.
    #[must_use]
    pub fn http1_only(self) -> Self {
        let mut current = self.current();
        current.alpn = vec![HTTP1.to_vec()];
        Arc::make_mut(&mut current.config).alpn_protocols.clone_from(&current.alpn);
        Self::of(current)
    }

    /// Answers the question of an authority whether these names are this server's, by TLS-ALPN-01 (RFC 8737): from the next handshake
    /// on until [`replace_certificate`](Self::replace_certificate), or until other answers replace these. Each answer is a name with
    /// the certificate and key that the protocol demands, in PEM. Other handshakes are not affected.
    ///
    /// # Errors
    ///
    /// As for [`from_pem`](Self::from_pem); the answers in force stay.
    pub fn answer_challenges<N: Into<String>>(
        &self,
        answers: impl IntoIterator<Item = (N, Vec<u8>, Vec<u8>)>,
    ) -> Result<(), TlsError> {
        let certified = answers.into_iter().map(|(name, certificate, key)| {
            let key = PrivateKeyDer::from_pem_slice(&key).map_err(TlsError::Key)?;
            let key = provider().key_provider.load_private_key(key).map_err(TlsError::Pair)?;
            // Without a check of the pair, which refuses the protocol's critical extension.
            let certified = CertifiedKey::new(read_certificates(&certificate)?, key);
            Ok((name.into().to_ascii_lowercase(), Arc::new(certified)))
        });
        let answers: challenge::Answers = certified.collect::<Result<_, _>>()?;
        let mut current = self.lock();
        let plain = config_of(&current)?;
        current.config =
            Arc::new(if answers.is_empty() { plain } else { challenge::with_answers(&plain, answers) });
        Ok(())
    }

    /// The time at which the server's certificate expires. `None` when it cannot be read.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        expiry(self.current().chain.first()?)
    }

    /// Starts the handshake on `stream`.
    pub(crate) fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Accept<S> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.lock().config));
        acceptor.accept_with(stream, |connection| connection.set_buffer_limit(Some(MAX_UNSENT)))
    }

    fn of(current: Current) -> Self {
        Self(Arc::new(Mutex::new(current)))
    }

    fn current(&self) -> Current {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn new(
        certificates: &[u8],
        key: &[u8],
        clients: Option<(ClientCertificates, Arc<dyn ClientCertVerifier>)>,
        alpn: Vec<Vec<u8>>,
    ) -> Result<Self, TlsError> {
        let chain = read_certificates(certificates)?;
        let key = Arc::new(PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?);
        let verifier = clients.as_ref().map(|(_, verifier)| Arc::clone(verifier));
        let config = Arc::new(config(&chain, &key, verifier, &alpn)?);
        Ok(Self { chain, key, clients, alpn, config })
    }

    /// The same with a configuration of its parts.
    fn configured(self) -> Result<Self, TlsError> {
        let config = Arc::new(config_of(&self)?);
        Ok(Self { config, ..self })
    }
}

/// The configuration of these parts.
fn config_of(current: &Current) -> Result<ServerConfig, TlsError> {
    let verifier = current.clients.as_ref().map(|(_, verifier)| Arc::clone(verifier));
    config(&current.chain, &current.key, verifier, &current.alpn)
}

impl fmt::Debug for Tls {
    /// Leaves the key out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.lock();
        f.debug_struct("Tls")
            .field("certificates", &current.chain.len())
            .field("clients", &current.clients.as_ref().map(|(clients, _)| clients))
            .finish_non_exhaustive()
    }
}

/// Reads all certificates of a PEM, at least one.
pub(crate) fn read_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TlsError::Certificate)?;
    if certificates.is_empty() { Err(TlsError::NoCertificate) } else { Ok(certificates) }
}

/// Reads the expiry from the refusal of an expired certificate, the only place where the verifier reports it. At the end of time
/// every certificate has expired, and the verifier checks that first.
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

/// Not the default of the process, which another library may have changed.
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
    alpn: &[Vec<u8>],
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?;
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain.to_vec(), key.clone_key()).map_err(TlsError::Pair)?;
    config.alpn_protocols = alpn.to_vec();
    Ok(config)
}

#[cfg(test)]
mod tests;
