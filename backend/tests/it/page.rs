//! The page and its assets over HTTP.

use std::fs;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::support::TestServer;
use crate::support::http::{Http, bare, fetch, get};

const INDEX: &str = "<!doctype html><title>Chinwag</title><script type=\"module\">start()</script>";
const SCRIPT: &str = "/frontend-0123456789abcdef.js";
const WASM: &str = "/frontend-0123456789abcdef_bg.wasm";

/// A server with a small page, compressed like by `cargo xtask page`.
async fn server() -> TestServer {
    let server = TestServer::start().await;
    let dir = server.page_dir();
    fs::write(dir.join("index.html"), INDEX).unwrap();
    fs::write(dir.join(&SCRIPT[1..]), "export const plain = 1;").unwrap();
    fs::write(dir.join(format!("{}.br", &SCRIPT[1..])), "brotli").unwrap();
    let mut gzip = fs::File::create(dir.join(format!("{}.gz", &SCRIPT[1..]))).unwrap();
    gzip.write_all(b"gzip").unwrap();
    fs::write(dir.join(&WASM[1..]), b"\0asm").unwrap();
    fs::write(dir.join("chat-0123456789abcdef.css"), "p{}").unwrap();
    fs::write(dir.join("icon.svg"), "<svg/>").unwrap();
    server
}

#[tokio::test]
async fn every_path_of_the_page_serves_the_page() {
    let server = server().await;
    for path in [
        "/",
        "/index.html",
        "/room/general",
        "/room/general/12?x=y",
        "/greeter",
        "/settings",
        "/explorer/a.B/C",
        "/%E4%BD%A0",
    ] {
        let answer = get(server.addr, path, &[("accept", "text/html")]).await;

        assert_eq!((answer.status, answer.text()), (StatusCode::OK, INDEX), "{path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-cache");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn assets_have_their_content_types() {
    let server = server().await;
    for (path, content_type) in [
        (SCRIPT, "text/javascript"),
        (WASM, "application/wasm"),
        ("/chat-0123456789abcdef.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let answer = get(server.addr, path, &[]).await;

        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-type"), content_type, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn hashed_assets_are_immutable_and_others_are_revalidated() {
    let server = server().await;
    for (path, cache_control) in [
        (SCRIPT, "public, max-age=31536000, immutable"),
        (WASM, "public, max-age=31536000, immutable"),
        ("/chat-0123456789abcdef.css", "public, max-age=31536000, immutable"),
        ("/icon.svg", "no-cache"),
    ] {
        assert_eq!(get(server.addr, path, &[]).await.header("cache-control"), cache_control, "{path}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn unchanged_page_is_not_sent_again() {
    let server = server().await;
    for path in ["/", "/room/general", "/icon.svg"] {
        let etag = get(server.addr, path, &[]).await.header("etag").to_owned();
        assert!(!etag.is_empty(), "{path}");

        let again = get(server.addr, path, &[("if-none-match", &etag)]).await;

        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
        assert_eq!(again.header("cache-control"), "no-cache");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn smallest_accepted_encoding_is_sent() {
    let server = server().await;
    for (accepted, encoding, body) in [
        ("gzip, deflate, br, zstd", "br", "brotli"),
        ("gzip", "gzip", "gzip"),
        ("br;q=0, gzip", "gzip", "gzip"),
        ("identity", "", "export const plain = 1;"),
    ] {
        let answer = get(server.addr, SCRIPT, &[("accept-encoding", accepted)]).await;

        assert_eq!((answer.header("content-encoding"), answer.text()), (encoding, body), "{accepted}");
        assert_eq!(answer.header("content-type"), "text/javascript");
        assert_eq!(answer.header("vary"), "accept-encoding");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn missing_asset_is_not_found() {
    let server = server().await;
    for path in
        ["/frontend-ffffffffffffffff.js", "/missing.css", "/../Cargo.toml", "/..%2f..%2fetc%2fpasswd.txt"]
    {
        let answer = get(server.addr, path, &[]).await;

        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn content_security_policy_allows_the_pages_own_scripts_only() {
    let server = server().await;

    let answer = get(server.addr, "/room/general", &[]).await;

    let policy = answer.header("content-security-policy");
    let hash = STANDARD.encode(Sha256::digest("start()"));
    assert!(policy.contains(&format!("script-src 'self' 'wasm-unsafe-eval' 'sha256-{hash}';")), "{policy}");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");

    // The policy follows a new build while the server runs.
    fs::write(server.page_dir().join("index.html"), "<script>again()</script>").unwrap();
    let answer = get(server.addr, "/", &[]).await;
    let hash = STANDARD.encode(Sha256::digest("again()"));
    assert!(answer.header("content-security-policy").contains(&format!("'sha256-{hash}'")));
    server.shutdown().await;
}

#[tokio::test]
async fn the_page_calls_only_servers_that_are_configured() {
    let server = server().await;
    let strict = get(server.addr, "/explorer", &[]).await.header("content-security-policy").to_owned();
    server.shutdown().await;
    assert!(strict.contains("; connect-src 'self'; "), "{strict}");

    let sources = ["https://api.example", "http://localhost:*"].map(str::to_owned);
    let server = TestServer::start_with(|config| config.port.web.connect_sources = sources.to_vec()).await;
    fs::write(server.page_dir().join("index.html"), INDEX).unwrap();
    let wider = get(server.addr, "/explorer", &[]).await.header("content-security-policy").to_owned();
    server.shutdown().await;
    assert!(wider.contains("; connect-src 'self' https://api.example http://localhost:*; "), "{wider}");
}

#[tokio::test]
async fn without_a_page_the_server_says_how_to_build_it() {
    let server = TestServer::start_with(|config| config.page = Some("/nonexistent".into())).await;

    let answer = get(server.addr, "/room/general", &[]).await;

    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.text().contains("cargo xtask page"), "{}", answer.text());
    server.shutdown().await;
}

#[tokio::test]
async fn page_allows_only_get_and_head() {
    let server = server().await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        for path in ["/", SCRIPT] {
            let answer = fetch(server.addr, Http::One, bare(method.clone(), path)).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(answer.header("allow"), "GET, HEAD");
        }
    }
    let head = fetch(server.addr, Http::Two, bare(Method::HEAD, "/greeter")).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), INDEX.len().to_string());
    server.shutdown().await;
}
