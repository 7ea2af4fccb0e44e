//! The real program with a certificate: browsers, native clients, and refused certificates.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use http::Request;
use http_body_util::Full;
use prost::Message as _;
use proto::chat::v1::JoinRequest;
use proto::helloworld::greeter_client::GreeterClient;
use proto::helloworld::{HelloReply, HelloRequest};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::support::http::{Answer, Http, WebFrame, open_over, read, web_call, web_frames};
use crate::support::{ChildServer, PATIENCE, command};

/// Files with a self-signed certificate and its key.
pub(crate) struct Files {
    dir: TempDir,
    pub(crate) pem: String,
}

impl Files {
    pub(crate) fn new() -> Self {
        let mut files = Self { dir: TempDir::new().unwrap(), pem: String::new() };
        files.renew();
        files
    }

    /// Writes another certificate and its key.
    pub(crate) fn renew(&mut self) {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        self.pem = signed.cert.pem();
        fs::write(self.path("certificate.pem"), &self.pem).unwrap();
        fs::write(self.path("key.pem"), signed.signing_key.serialize_pem()).unwrap();
    }

    /// The key of these files.
    pub(crate) fn key(&self) -> Vec<u8> {
        fs::read(self.path("key.pem")).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn flags(&self) -> [String; 2] {
        [
            format!("--tls-certificate={}", self.path("certificate.pem")),
            format!("--tls-key={}", self.path("key.pem")),
        ]
    }

    /// Connects like a browser that trusts the certificate, with one version of HTTP.
    async fn connect(&self, server: &ChildServer, http: Http) -> TlsStream<TcpStream> {
        self.try_connect(server.addr, http).await.unwrap()
    }

    /// The same, for a server that may have another certificate.
    pub(crate) async fn try_connect(
        &self,
        addr: SocketAddr,
        http: Http,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![match http {
            Http::One => b"http/1.1".to_vec(),
            Http::Two => b"h2".to_vec(),
        }];
        let stream = TcpStream::connect(addr).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    pub(crate) async fn fetch(
        &self,
        server: &ChildServer,
        http: Http,
        request: Request<Full<bytes::Bytes>>,
    ) -> Answer {
        let io = self.connect(server, http).await;
        read(open_over(io, server.addr, http, request).await).await
    }
}

#[tokio::test]
async fn browser_and_native_client_reach_the_greeter_by_https() {
    let files = Files::new();
    let mut server = ChildServer::start_with(&files.flags()).await;
    for http in [Http::One, Http::Two] {
        let request = HelloRequest { name: "Ada".to_owned() };
        let call = web_call("application/grpc-web+proto", "/helloworld.Greeter/SayHello", &request);

        let answer = files.fetch(&server, http, call).await;

        let greeting = HelloReply { message: "Hello, Ada!".to_owned() }.encode_to_vec();
        assert_eq!(web_frames(answer.body)[0], WebFrame::Message(greeting.into()), "{http:?}");
    }

    let trusting =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&files.pem)).domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://{}", server.addr)).unwrap();
    let channel = endpoint.tls_config(trusting).unwrap().connect().await.unwrap();
    let greeted = GreeterClient::new(channel).say_hello(HelloRequest { name: "Grace".to_owned() }).await;

    assert_eq!(greeted.unwrap().into_inner().message, "Hello, Grace!");
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn announced_address_is_https_and_the_cookie_is_secure() {
    let files = Files::new();
    let dir = TempDir::new().unwrap();
    let mut command = command();
    let flags = ["--listen=127.0.0.1:0".to_owned(), format!("--data={}", dir.path().display())];
    let mut child = command.args(flags).args(files.flags()).arg("--log=off").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.expect("it does not listen").unwrap().unwrap();
    assert!(line.starts_with("listening on https://127.0.0.1:"), "{line}");
    child.kill().await.unwrap();

    let mut server = ChildServer::start_with(&files.flags()).await;
    let join = JoinRequest { name: "Ada".to_owned(), return_token: false, ..Default::default() };
    let call = web_call("application/grpc-web+proto", "/chat.v1.ChatService/Join", &join);
    let answer = files.fetch(&server, Http::One, call).await;

    let cookie = answer.header("set-cookie");
    assert!(cookie.split("; ").any(|attribute| attribute == "Secure"), "{cookie}");
    server.kill().await;
}

/// Standard error of a program that refuses to start.
async fn refused(flags: &[String]) -> String {
    let dir = TempDir::new().unwrap();
    let mut command = command();
    command.arg("--listen=127.0.0.1:0").arg("--data").arg(dir.path()).args(flags).stderr(Stdio::piped());
    let ended = timeout(PATIENCE, command.output()).await.expect("the program did not end in time").unwrap();
    assert_eq!((ended.status.code(), &ended.stdout[..]), (Some(2), &b""[..]), "{flags:?}");
    String::from_utf8(ended.stderr).unwrap()
}

#[tokio::test]
async fn unusable_certificate_is_refused_naming_flag_and_file() {
    let (files, others) = (Files::new(), Files::new());
    let [certificate, key] = files.flags();
    let absent = PathBuf::from(files.path("absent.pem")).display().to_string();
    let empty = files.path("empty.pem");
    fs::write(&empty, "").unwrap();
    let [_, others_key] = others.flags();
    for (flags, parts) in [
        (vec![certificate.clone()], ["--tls-key <FILE>", "required"]),
        (vec![key.clone()], ["--tls-certificate <FILE>", "required"]),
        (vec![certificate.clone(), format!("--tls-key={absent}")], ["--tls-key", absent.as_str()]),
        (vec![format!("--tls-certificate={absent}"), key.clone()], ["--tls-certificate", absent.as_str()]),
        (vec![format!("--tls-certificate={empty}"), key.clone()], ["--tls-certificate", "no certificate"]),
        (vec![certificate.clone(), format!("--tls-key={empty}")], ["--tls-key", "no private key"]),
        (vec![certificate, others_key], ["--tls-key", "it is not the key of"]),
    ] {
        let said = refused(&flags).await;
        for part in parts {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
    }
}
