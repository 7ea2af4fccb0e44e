//! The behaviour of calls to a stock tonic service.

use std::io::Write as _;
use std::sync::atomic::Ordering;

use flate2::Compression;
use flate2::write::GzEncoder;
use grpc_wire::message;
use grpc_wire::web::text;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::Full;
use tonic_serve::App;

use crate::echo::{BIDI, CLIENT_STREAM, MAX_MESSAGE, SERVER_STREAM, TRAILER, UNARY, encoded, request};
use crate::support::{ENDLESS, Server, eventually};
use crate::wire::{Answer, Way, call, send, send_for_head};

const UNIMPLEMENTED: &str = "12";

async fn calling(server: &Server, way: Way, path: &str, frames: &[u8]) -> Answer {
    send(server.addr, way, call(way, path, frames)).await
}

#[tokio::test]
async fn all_four_kinds_of_call_work_in_every_format() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        for (path, sent, got) in [
            (UNARY, vec!["a"], vec!["a"]),
            (SERVER_STREAM, vec!["a"], vec!["first", "a", "a"]),
            (CLIENT_STREAM, vec!["a", "", "b"], vec!["ab"]),
            (CLIENT_STREAM, vec![], vec![""]),
            (BIDI, vec!["a", "", "b"], vec!["a", "", "b"]),
            (BIDI, vec![], vec![]),
        ] {
            let answer = calling(&server, way, path, &request(&sent)).await;

            assert_eq!(answer.code(), "0", "{way:?} {path}");
            assert_eq!(answer.messages, got, "{way:?} {path}");
            assert_eq!(answer.header("content-type"), way.content_type(), "{path}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_unary_request_with_none_or_several_messages_is_unimplemented() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        for path in [UNARY, SERVER_STREAM] {
            for messages in [&[][..], &["a", "b"], &["", ""]] {
                let answer = calling(&server, way, path, &request(messages)).await;

                assert_eq!(answer.code(), UNIMPLEMENTED, "{way:?} {path} {messages:?}");
                assert_eq!(answer.messages, [""; 0], "{way:?} {path} {messages:?}");
            }
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn methods_outside_the_table_are_not_checked() {
    let server = Server::start_app(|_| {}, |app| app.methods(Default::default())).await;

    let answer = calling(&server, Way::Web, UNARY, &request(&["a", "b"])).await;

    assert_eq!((answer.code(), &answer.messages[..]), ("0", &["a".to_owned()][..]));
    server.stopped().await;
}

#[tokio::test]
async fn a_request_that_ends_inside_a_message_is_internal() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        for path in [UNARY, CLIENT_STREAM, BIDI] {
            for cut in [&b"\0\0\0"[..], b"\0\0\0\0\x0a", b"\0\0\0\0\x0a\x0a"] {
                let answer = calling(&server, way, path, cut).await;

                assert_eq!(answer.code(), "13", "{way:?} {path} {cut:?}");
            }
        }
    }
    server.stopped().await;
}

/// A text whose message has `size` bytes.
fn text_of(size: usize) -> String {
    let text = "x".repeat(size - 3);
    assert_eq!(encoded(&text).len(), size);
    text
}

#[tokio::test]
async fn a_message_over_the_limit_is_resource_exhausted() {
    let server = Server::start(|_| {}).await;
    let (largest, larger) = (text_of(MAX_MESSAGE), text_of(MAX_MESSAGE + 1));
    for way in Way::ALL {
        for path in [UNARY, SERVER_STREAM, CLIENT_STREAM, BIDI] {
            let good = calling(&server, way, path, &request(&[&largest])).await;
            let bad = calling(&server, way, path, &request(&[&larger])).await;

            assert_eq!((good.code(), bad.code()), ("0", "8"), "{way:?} {path}");
        }
        for path in [CLIENT_STREAM, BIDI] {
            let later = calling(&server, way, path, &request(&["a", &larger])).await;

            assert_eq!(later.code(), "8", "{way:?} {path}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_prefix_over_the_limit_is_refused_without_its_message() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        // A prefix of 4 GiB without a payload.
        let answer = calling(&server, way, CLIENT_STREAM, b"\0\xff\xff\xff\xff").await;

        assert_eq!(answer.code(), "8", "{way:?}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_services_limit_replaces_the_common_limit() {
    let server =
        Server::start_app(|_| {}, |app| app.max_message_size(10).max_message_size_of("test.Echo", 5)).await;

    let own = calling(&server, Way::Web, UNARY, &request(&["1234"])).await;
    let common = calling(&server, Way::Web, "/other.Service/Method", &request(&["1234"])).await;

    assert_eq!(own.code(), "8");
    assert_eq!(common.code(), UNIMPLEMENTED);
    server.stopped().await;
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn decompressed_messages_are_limited() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        for (size, code) in [(MAX_MESSAGE, "0"), (MAX_MESSAGE + 1, "8"), (1_000_000, "8")] {
            let message = message::encode(message::COMPRESSED, &gzipped(&encoded(&"x".repeat(size - 3))));
            let mut call = call(way, UNARY, &message);
            call.headers_mut().insert("grpc-encoding", HeaderValue::from_static("gzip"));

            let answer = send(server.addr, way, call).await;

            assert_eq!(answer.code(), code, "{way:?} {size}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn only_listed_methods_compress_their_responses() {
    for (app, compressed) in [
        (&(|app: App| app) as &dyn Fn(App) -> App, [true, true]),
        (&|app: App| app.compress_only([UNARY]), [true, false]),
    ] {
        let server = Server::start_app(|_| {}, app).await;
        for (path, compressed) in [UNARY, SERVER_STREAM].into_iter().zip(compressed) {
            let mut call = call(Way::Native, path, &request(&["a"]));
            call.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static("gzip"));

            let response = send_for_head(server.addr, call).await;

            assert_eq!(response.headers().contains_key("grpc-encoding"), compressed, "{path}");
        }
        server.stopped().await;
    }
}

#[tokio::test]
async fn an_unknown_encoding_is_unimplemented_and_the_known_ones_are_listed() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        let mut call = call(way, UNARY, &request(&["a"]));
        call.headers_mut().insert("grpc-encoding", HeaderValue::from_static("foo"));

        let answer = send(server.addr, way, call).await;

        assert_eq!(answer.code(), UNIMPLEMENTED, "{way:?}");
        assert_eq!(answer.header("grpc-accept-encoding"), "gzip,identity", "{way:?}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn trailing_metadata_follows_a_success() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        for path in [UNARY, CLIENT_STREAM] {
            let answer = calling(&server, way, path, &request(&["a"])).await;

            assert_eq!(answer.header("x-before"), "head", "{way:?} {path}");
            assert_eq!(answer.trailer(TRAILER), ["one", "two"], "{way:?} {path}");
            assert_eq!(answer.trailer("grpc-status"), ["0"], "{way:?} {path}");
            assert!(!answer.headers.contains_key(TRAILER), "{way:?} {path}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_deadline_ends_calls_and_streams_with_a_status() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        for (path, messages) in [(UNARY, 0), (SERVER_STREAM, 1)] {
            let mut call = call(way, path, &request(&["wait"]));
            call.headers_mut().insert("grpc-timeout", HeaderValue::from_static("50m"));

            let answer = send(server.addr, way, call).await;

            assert_eq!((answer.code(), answer.messages.len()), ("4", messages), "{way:?} {path}");
            assert_eq!(answer.header("content-type"), way.content_type(), "{path}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn an_unread_stream_is_dropped_at_its_deadline() {
    let server = Server::start(|_| {}).await;
    let mut call = call(Way::Native, ENDLESS, b"");
    call.headers_mut().insert("grpc-timeout", HeaderValue::from_static("100m"));

    let unread = send_for_head(server.addr, call).await;

    assert_eq!(unread.status(), StatusCode::OK);
    eventually("the handler is dropped", || server.watch.streams.load(Ordering::SeqCst) == 0).await;
    drop(unread);
    server.stopped().await;
}

#[tokio::test]
async fn a_panic_in_a_handler_is_internal() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        for (path, messages) in [(UNARY, 0), (SERVER_STREAM, 1)] {
            let answer = calling(&server, way, path, &request(&["panic"])).await;

            assert_eq!((answer.code(), answer.messages.len()), ("13", messages), "{way:?} {path}");
            assert_eq!(answer.header("content-type"), way.content_type(), "{path}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_and_named_in_the_message() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        for path in ["/test.Echo/Unknown", "/unknown.Service/Method", "/"] {
            let answer = calling(&server, way, path, &request(&["a"])).await;

            assert_eq!((answer.status, answer.code()), (StatusCode::OK, UNIMPLEMENTED), "{way:?} {path}");
            assert_eq!(answer.header("content-type"), way.content_type(), "{path}");
            assert_eq!(answer.message(), format!("this server does not implement {path}"), "{way:?}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_websocket_on_a_methods_path_is_not_implemented() {
    let page = tempfile::tempdir().unwrap();
    std::fs::write(page.path().join("index.html"), "<!doctype html>").unwrap();
    let dir = page.path().to_owned();
    for server in [
        Server::start(|_| {}).await,
        Server::start_app(|_| {}, |app| app.page(tonic_serve::Page::new(dir))).await,
    ] {
        let head = format!(
            "GET {UNARY} HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        let response = crate::wire::exchange(server.addr, head.as_bytes(), "gRPC-Web\n").await.unwrap();
        assert!(response.starts_with("HTTP/1.1 501 "), "{response}");
        assert!(response.contains("without the subprotocol h2ts"), "{response}");
        server.stopped().await;
    }
}

#[tokio::test]
async fn requests_that_are_not_calls_are_refused_by_http_status() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        let refused = async |method: Method, content_type: Option<&'static str>| {
            let mut call = call(way, UNARY, &request(&["a"]));
            *call.method_mut() = method;
            call.headers_mut().remove("content-type");
            if let Some(content_type) = content_type {
                call.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
            }
            send(server.addr, way, call).await
        };
        let delete = refused(Method::DELETE, Some(way.content_type())).await;
        assert_eq!((delete.status, delete.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
        for content_type in
            [Some("application/grpc+foo"), Some("application/grpc-web+foo"), Some("image/jpeg"), None]
        {
            let answer = refused(Method::POST, content_type).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{way:?} {content_type:?}");
        }
        let get = refused(Method::GET, None).await;
        assert_eq!(get.status, StatusCode::NOT_FOUND);
    }
    server.stopped().await;
}

#[tokio::test]
async fn padded_parts_of_base64_are_one_request() {
    let server = Server::start(|_| {}).await;
    let parts: String = ["a", "bc", "", "def"].map(|part| text::encode(&request(&[part]))).concat();
    assert!(parts.trim_end_matches('=').contains('='), "no padding inside {parts}");
    for (body, code) in [(parts.as_str(), "0"), ("AAAAAA", "13"), ("AAAAAA*=", "13")] {
        let mut call = call(Way::Text, CLIENT_STREAM, b"");
        *call.body_mut() = Full::from(body.to_owned());

        let answer = send(server.addr, Way::Text, call).await;

        assert_eq!(answer.code(), code, "{body}");
        assert_eq!(answer.messages.concat(), if code == "0" { "abcdef" } else { "" });
    }
    server.stopped().await;
}

#[tokio::test]
async fn other_requests_go_to_the_applications_router() {
    let router = axum::Router::new()
        .route("/upload", axum::routing::post(async |body: String| format!("{} bytes", body.len())));
    let server = Server::start_app(|_| {}, |app| app.http(router)).await;

    let upload = crate::wire::exchange(
        server.addr,
        b"POST /upload HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc",
        "bytes",
    );
    let upload = upload.await.unwrap();
    let unary = calling(&server, Way::Web, UNARY, &request(&["a"])).await;

    assert!(upload.starts_with("HTTP/1.1 200 ") && upload.ends_with("3 bytes"), "{upload}");
    assert_eq!(unary.code(), "0");
    server.stopped().await;
}
