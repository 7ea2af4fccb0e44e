//! A certificate of its own for a server that is measured, and clients that trust it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// The name in the certificate.
pub(crate) const NAME: &str = "localhost";

/// A certificate and its key, in files.
pub(crate) struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    roots: RootCertStore,
}

/// Makes a certificate in `folder`.
pub(crate) fn identity(folder: &Path) -> Result<Identity> {
    let signed = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&certificate, signed.cert.pem())?;
    fs::write(&key, signed.signing_key.serialize_pem())?;
    let mut roots = RootCertStore::empty();
    roots.add(signed.cert.der().clone())?;
    Ok(Identity { certificate, key, roots })
}

impl Identity {
    /// The flags by which the application's server uses it.
    pub(crate) fn flags(&self) -> [String; 2] {
        [("--tls-certificate", &self.certificate), ("--tls-key", &self.key)]
            .map(|(flag, file)| format!("{flag}={}", file.display()))
    }

    /// A connector for HTTP/1.1.
    pub(crate) fn connector(&self) -> TlsConnector {
        self.connector_of("http/1.1")
    }

    /// A gRPC channel to `server`.
    pub(crate) async fn channel(&self, server: SocketAddr) -> Result<Channel> {
        let tls = self.connector_of("h2");
        let name = ServerName::try_from(NAME)?;
        let connect = service_fn(move |_| {
            let (tls, name) = (tls.clone(), name.clone());
            async move {
                let stream = TcpStream::connect(server).await?;
                stream.set_nodelay(true)?;
                let stream = tls.connect(name, stream).await?;
                std::io::Result::Ok(TokioIo::new(stream))
            }
        });
        let endpoint = Endpoint::from_shared(format!("http://{NAME}:{}", server.port()))?;
        Ok(endpoint.connect_with_connector(connect).await?)
    }

    fn connector_of(&self, protocol: &str) -> TlsConnector {
        let mut config =
            ClientConfig::builder().with_root_certificates(self.roots.clone()).with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        Arc::new(config).into()
    }
}
