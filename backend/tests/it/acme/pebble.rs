//! Pebble as a child process, and a resolver by which it finds every name on this machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command as StdCommand, Stdio};
use std::sync::Arc;

use fastrand::Rng;
use http::Request;
use http_body_util::Full;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::PATIENCE;
use crate::support::http::{Http, open_over, read};

/// Seconds.
pub(super) const DAY: u32 = 24 * 60 * 60;

/// The authority. Killed when dropped.
pub(super) struct Pebble {
    folder: TempDir,
    port: u16,
    management: u16,
    /// The port where it asks whether a name is the server's.
    pub(super) tls_port: u16,
    _child: Child,
}

/// The program, where it is.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("CHINWAG_PEBBLE").map_or_else(|| "pebble".into(), PathBuf::from);
    let runs = StdCommand::new(&named).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = runs.is_ok_and(|status| status.success()).then_some(named);
    if found.is_none() {
        eprintln!("skipped: there is no Pebble; name its program in CHINWAG_PEBBLE");
    }
    found
}

fn free_port() -> u16 {
    harness::free_port(&mut Rng::new()).unwrap().port()
}

impl Pebble {
    /// Starts it; its certificates are valid for `seconds`. `None` where it is not there.
    pub(super) async fn start(seconds: u32) -> Option<Self> {
        let program = program()?;
        let folder = TempDir::new().unwrap();
        write_own_certificate(folder.path());
        let [port, management, tls_port] = [free_port(), free_port(), free_port()];
        let file = |name: &str| folder.path().join(name).display().to_string();
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": file("certificate.pem"),
            "privateKey": file("key.pem"),
            "httpPort": free_port(),
            "tlsPort": tls_port,
            "retryAfter": { "authz": 1, "order": 1 },
            "profiles": { "default": { "description": "the only one", "validityPeriod": seconds } },
        }});
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let mut command = Command::new(program);
        command.args(["-config", &file("config.json"), "-dnsserver", &resolver().await.to_string()]);
        command.env("PEBBLE_VA_NOSLEEP", "1").stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().unwrap();
        let opened = async {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, opened).await.expect("Pebble does not listen in time");
        Some(Self { folder, port, management, tls_port, _child: child })
    }

    pub(super) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// The file with the authority of Pebble's own certificate.
    pub(super) fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Connects to `addr` as a browser does that trusts the certificates that Pebble issues.
    pub(super) async fn connect_trusting_its_certificates(
        &self,
        addr: SocketAddr,
        name: &'static str,
    ) -> TlsStream<TcpStream> {
        let own = std::fs::read(self.authority()).unwrap();
        let management = SocketAddr::from((Ipv4Addr::LOCALHOST, self.management));
        let stream = connect(management, "127.0.0.1", &own).await;
        let request = Request::get("/roots/0").header("host", "127.0.0.1").body(Full::default()).unwrap();
        let root = read(open_over(stream, management, Http::One, request).await).await;
        connect(addr, name, &root.body).await
    }
}

async fn connect(addr: SocketAddr, name: &'static str, root: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(addr).await.unwrap();
    let name = ServerName::try_from(name).unwrap();
    timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap().unwrap()
}

/// Writes a certificate for this machine, its key, and the authority that signed it.
fn write_own_certificate(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let own_key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&own_key, &issuer).unwrap();
    for (name, text) in [
        ("authority.pem", authority.pem()),
        ("certificate.pem", own.pem()),
        ("key.pem", own_key.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// Answers every question for an address with 127.0.0.1, and others with nothing, over TCP, as Pebble asks. Lives as long as the
/// test.
async fn resolver() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut question = vec![0; length.into()];
                    stream.read_exact(&mut question).await.unwrap();
                    let answer = answer(&question);
                    stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            });
        }
    });
    addr
}

/// The answer to a message with one question (RFC 1035).
fn answer(message: &[u8]) -> Vec<u8> {
    /// The header of a message, bytes; then comes the question.
    const HEADER: usize = 12;
    /// Name of the question, type A, class IN, 60 seconds, four bytes.
    const ADDRESS: [u8; 16] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1];
    let name = message[HEADER..].iter().position(|byte| *byte == 0).unwrap();
    let end = HEADER + name + 5;
    let is_address = message[end - 4..end - 2] == [0, 1];
    let mut answer = message[..end].to_vec();
    // A response to one question without additional records.
    answer[2..HEADER].copy_from_slice(&[0x81, 0x80, 0, 1, 0, is_address.into(), 0, 0, 0, 0]);
    if is_address {
        answer.extend(ADDRESS);
    }
    answer
}
