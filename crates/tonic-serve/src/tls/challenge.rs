//! Certificates that answer the question of an authority whether a name is this server's: TLS-ALPN-01 (RFC 8737).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

/// The ALPN name of the question.
const ACME_TLS: &[u8] = b"acme-tls/1";

/// The answers, by the names that are asked for.
pub(super) type Answers = HashMap<String, Arc<CertifiedKey>>;

/// Answers the question, and uses the server's own certificate for everything else.
struct Resolver {
    answers: Answers,
    own: Arc<dyn ResolvesServerCert>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("names", &self.answers.keys()).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if hello.alpn().is_some_and(|mut names| names.any(|name| name == ACME_TLS)) {
            return self.answers.get(&hello.server_name()?.to_ascii_lowercase()).cloned();
        }
        self.own.resolve(hello)
    }
}

/// `config` with the answers.
pub(super) fn with_answers(config: &ServerConfig, answers: Answers) -> ServerConfig {
    let mut config = config.clone();
    config.alpn_protocols.push(ACME_TLS.to_vec());
    let own = Arc::clone(&config.cert_resolver);
    config.cert_resolver = Arc::new(Resolver { answers, own });
    config
}
