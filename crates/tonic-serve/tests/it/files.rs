//! The cost of a response with a file whose client does not read it.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic_serve::Page;

use crate::support::{PATIENCE, Server};

const FILE: &str = "page-0123456789abcdef.wasm";

/// File descriptors of this process for files in `dir`.
#[cfg(target_os = "linux")]
fn open_files(dir: &Path) -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    descriptors
        .filter(|fd| fs::read_link(fd.as_ref().unwrap().path()).is_ok_and(|to| to.starts_with(dir)))
        .count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_unread_response_keeps_no_file_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    fs::write(path.join("index.html"), "<!doctype html>").unwrap();
    let content = vec![7; 1_000_000];
    fs::write(path.join(FILE), &content).unwrap();
    let page = Page::new(&path);
    let server = Server::start_app(|_| {}, |app| app.page(page)).await;
    let io = TokioIo::new(TcpStream::connect(server.addr).await.unwrap());
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1)
        .handshake::<_, Empty<Bytes>>(io)
        .await
        .unwrap();
    tokio::spawn(connection);

    let mut unread = Vec::new();
    for _ in 0..100 {
        let request = Request::get(format!("http://test/{FILE}")).body(Empty::new()).unwrap();
        let answer =
            timeout(PATIENCE, sender.send_request(request)).await.expect("no response in time").unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        unread.push(answer);
    }

    assert_eq!(open_files(&path), 0);
    drop(unread);
    // A client that reads gets the whole file.
    let io = TokioIo::new(TcpStream::connect(server.addr).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("http://test/{FILE}")).body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let read = timeout(PATIENCE, answer.into_body().collect()).await.expect("not in time").unwrap();
    assert_eq!(read.to_bytes(), content);
    server.stopped().await;
}
