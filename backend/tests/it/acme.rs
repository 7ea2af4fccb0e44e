//! Certificates from an authority: Pebble, which asks for the names by TLS-ALPN-01 as public authorities do.
//!
//! `CHINWAG_PEBBLE` names its program; `cargo xtask test` installs it by Go. Without it these tests say that they are skipped.

mod pebble;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use http::{Request, StatusCode};
use http_body_util::Full;
use tempfile::TempDir;
use tokio::time::timeout;

use self::pebble::{DAY, Pebble};
use crate::chat_client::eventually;
use crate::support::http::{Answer, Http, open_over, read};
use crate::support::{PATIENCE, command};
use crate::web::Logged;

const NAME: &str = "chat.example";

/// Starts the program with a certificate of `pebble`, on the port where that asks.
async fn start(pebble: &Pebble, data: &Path) -> Logged {
    let mut command = command();
    command.env("SSL_CERT_FILE", pebble.authority());
    command.arg(format!("--listen=127.0.0.1:{}", pebble.tls_port)).arg("--data").arg(data);
    command.args(["--acme-contact=admin@chat.example", &format!("--acme-domain={NAME}")]);
    command.arg(format!("--acme-directory={}", pebble.directory()));
    Logged::start_command(command).await
}

/// The page's response to a browser that trusts only certificates of `pebble`, and the certificate that it saw.
async fn visited(pebble: &Pebble, addr: SocketAddr) -> (Answer, Vec<u8>) {
    let stream = pebble.connect_trusting_its_certificates(addr, NAME).await;
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let request = Request::get("/").header("host", NAME).body(Full::default()).unwrap();
    (read(open_over(stream, addr, Http::One, request).await).await, certificate)
}

fn stored(data: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(data.join("acme")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test]
async fn certificate_is_obtained_stored_and_used_after_a_restart() {
    let Some(pebble) = Pebble::start(90 * DAY).await else { return };
    let data = TempDir::new().unwrap();
    let mut server = start(&pebble, data.path()).await;
    server.logged("asking the authority for a certificate").await;
    let line = server.logged("using the certificate of the authority").await;
    assert!(line.contains("days_left=89"), "{line}");

    let (page, certificate) = visited(&pebble, server.addr).await;

    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "it is not built, and the name is allowed");
    assert_eq!(page.header("strict-transport-security"), "max-age=31536000");
    let files = stored(data.path());
    assert_eq!(files.len(), 2, "account and certificate: {files:?}");
    for file in &files {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    assert_eq!(server.ended().await, Some(0));

    let server = start(&pebble, data.path()).await;
    assert_eq!(visited(&pebble, server.addr).await.1, certificate, "no other one is asked for");
    assert_eq!(server.ended().await, Some(0));
    assert_eq!(stored(data.path()), files);
}

#[tokio::test]
async fn certificate_is_renewed_while_the_server_runs() {
    let Some(pebble) = Pebble::start(6).await else { return };
    let data = TempDir::new().unwrap();
    let mut server = start(&pebble, data.path()).await;
    server.logged("using the certificate of the authority").await;
    let certificate = stored(data.path()).pop().unwrap();
    let first = fs::read(&certificate).unwrap();

    eventually("another certificate", async || fs::read(&certificate).unwrap() != first).await;

    assert_eq!(stored(data.path()).len(), 2, "the account is the same");
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn name_that_leads_elsewhere_is_told_in_the_words_of_the_authority() {
    let Some(mut pebble) = Pebble::start(90 * DAY).await else { return };
    // The server is not where the authority asks.
    pebble.tls_port = 0;
    let data = TempDir::new().unwrap();
    let mut server = start(&pebble, data.path()).await;
    let line = server.logged("cannot get a certificate from the authority").await;
    assert!(line.contains("ERROR") && line.contains("retry_in_minutes=10"), "{line}");
    assert!(line.contains("could not prove that the name is this server's"), "{line}");
    assert!(line.contains("urn:ietf:params:acme:error:") || line.contains("connection refused"), "{line}");
    // It serves on, and ends as usual.
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn wrong_flags_are_refused_before_the_port_is_bound() {
    for (arguments, part) in [
        (&["--acme-domain=https://chat.example"][..], "--acme-domain <NAME>"),
        (&["--acme-domain=a.example", "--acme-contact=admin"], "--acme-contact <ADDRESS>"),
        (&["--acme-contact=admin@a.example"], "--acme-domain <NAME>"),
        (&["--acme-domain=a.example", "--acme-directory=http://a.example"], "--acme-directory <URL>"),
        (&["--acme-domain=a.example", "--tls-certificate=a", "--tls-key=b"], "--tls-certificate <FILE>"),
        (&["--redirect-http=127.0.0.1:0"], "--acme-domain <NAME>"),
    ] {
        let mut server = command();
        let data = TempDir::new().unwrap();
        server.args(arguments).arg("--data").arg(data.path()).stderr(Stdio::piped());
        let ended = timeout(PATIENCE, server.output()).await.expect("it runs").unwrap();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        let refusal = String::from_utf8(ended.stderr).unwrap();
        assert!(refusal.contains(part), "{arguments:?}: {refusal}");
    }
}
