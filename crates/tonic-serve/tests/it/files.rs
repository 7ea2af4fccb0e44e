//! Pages in memory, and the cost of a response with a file whose client does not read it.

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

#[tokio::test]
async fn a_page_in_memory_is_served_like_one_on_disk() {
    let files = [
        ("index.html", &b"<!doctype html><script>start()</script>"[..]),
        (FILE, b"plain"),
        ("page-0123456789abcdef.wasm.br", b"brotli"),
        ("fonts/a.svg", b"<svg/>"),
    ];
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("fonts")).unwrap();
    for (path, content) in files {
        fs::write(dir.path().join(path), content).unwrap();
    }
    let start = |page| Server::start_app(|_| {}, |app| app.page(page));
    let (on_disk, in_memory) = (start(Page::new(dir.path())).await, start(Page::in_memory(files)).await);
    for path in
        ["/", "/room/general", "/index.html", "/fonts/a.svg", "/fonts", "/missing.js", "/../index.html"]
            .into_iter()
            .chain([format!("/{FILE}").as_str()])
    {
        for encodings in ["identity", "br"] {
            let (disk, memory) =
                (page_at(&on_disk, path, encodings).await, page_at(&in_memory, path, encodings).await);

            assert_eq!(memory, disk, "{path} {encodings}");
        }
    }
    let (status, body, _) = page_at(&in_memory, &format!("/{FILE}"), "br").await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"brotli"[..]));
    on_disk.stopped().await;
    in_memory.stopped().await;
}

/// Status, body and headers of a file, without the times.
async fn page_at(server: &Server, path: &str, encodings: &str) -> (StatusCode, Bytes, http::HeaderMap) {
    let io = TokioIo::new(TcpStream::connect(server.addr).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "localhost").header("accept-encoding", encodings);
    let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    let (mut head, body) = response.into_parts();
    for time in ["date", "etag", "last-modified"] {
        head.headers.remove(time);
    }
    (head.status, body.collect().await.unwrap().to_bytes(), head.headers)
}
