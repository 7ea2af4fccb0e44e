//! The bytes of gRPC-Web: HTTP/1.1 and HTTP/2, binary and text.

use http::{HeaderValue, Method, StatusCode};
use prost::Message as _;
use proto::helloworld::{HelloReply, HelloRequest};

use crate::support::TestServer;
use crate::support::http::{Http, WebFrame, bare, fetch, web_call, web_frames, web_text_frames};

const SAY_HELLO: &str = "/helloworld.Greeter/SayHello";
const STREAM: &str = "/helloworld.Greeter/SayHelloStreamReply";

fn world() -> HelloRequest {
    HelloRequest { name: "World".to_owned() }
}

fn greeting() -> WebFrame {
    WebFrame::Message(HelloReply { message: "Hello, World!".to_owned() }.encode_to_vec().into())
}

fn ok() -> WebFrame {
    WebFrame::Trailers("grpc-status:0\r\n".to_owned())
}

#[tokio::test]
async fn binary_call_gets_a_message_and_trailers() {
    let server = TestServer::start().await;
    for http in [Http::One, Http::Two] {
        for content_type in ["application/grpc-web", "application/grpc-web+proto"] {
            let answer = fetch(server.addr, http, web_call(content_type, SAY_HELLO, &world())).await;

            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.header("content-type"), "application/grpc-web+proto");
            assert_eq!(web_frames(answer.body), [greeting(), ok()], "{http:?} {content_type}");
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn response_bytes_match_the_protocol() {
    let server = TestServer::start().await;

    let answer =
        fetch(server.addr, Http::One, web_call("application/grpc-web+proto", SAY_HELLO, &world())).await;

    let expected = b"\x00\x00\x00\x00\x0f\x0a\x0dHello, World!\x80\x00\x00\x00\x0fgrpc-status:0\r\n";
    assert_eq!(&answer.body[..], expected);
    server.shutdown().await;
}

#[tokio::test]
async fn text_call_gets_a_text_response() {
    let server = TestServer::start().await;
    for http in [Http::One, Http::Two] {
        for content_type in ["application/grpc-web-text", "application/grpc-web-text+proto"] {
            let answer = fetch(server.addr, http, web_call(content_type, SAY_HELLO, &world())).await;

            assert_eq!(answer.header("content-type"), "application/grpc-web-text+proto");
            assert_eq!(web_text_frames(&answer.body), [greeting(), ok()], "{http:?} {content_type}");
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn stream_has_one_frame_per_message() {
    let server = TestServer::start().await;
    for http in [Http::One, Http::Two] {
        for content_type in ["application/grpc-web+proto", "application/grpc-web-text"] {
            let mut call = web_call(content_type, STREAM, &world());
            call.headers_mut().insert("x-greeter-count", HeaderValue::from_static("3"));
            call.headers_mut().insert("x-greeter-interval-ms", HeaderValue::from_static("1"));

            let answer = fetch(server.addr, http, call).await;

            let frames = match content_type.contains("text") {
                true => web_text_frames(&answer.body),
                false => web_frames(answer.body),
            };
            assert_eq!(frames, [greeting(), greeting(), greeting(), ok()], "{http:?} {content_type}");
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn content_types_with_parameters_and_capitals_are_accepted() {
    let server = TestServer::start().await;
    for content_type in ["application/grpc-web+proto; charset=utf-8", "Application/gRPC-Web"] {
        let answer = fetch(server.addr, Http::One, web_call(content_type, SAY_HELLO, &world())).await;

        assert_eq!(web_frames(answer.body), [greeting(), ok()], "{content_type}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn refusal_is_readable_with_its_details() {
    let server = TestServer::start().await;
    for http in [Http::One, Http::Two] {
        let request = HelloRequest { name: "x".repeat(1001) };
        let answer =
            fetch(server.addr, http, web_call("application/grpc-web+proto", SAY_HELLO, &request)).await;

        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), "application/grpc-web+proto");
        assert_eq!(answer.header("grpc-status"), "3");
        assert_eq!(answer.header("grpc-message"), "the%20name%20is%20longer%20than%201000%20characters");
        assert!(!answer.header("grpc-status-details-bin").is_empty());
    }
    server.shutdown().await;
}

#[tokio::test]
async fn unknown_method_is_unimplemented_in_the_callers_protocol() {
    let server = TestServer::start().await;
    for path in ["/helloworld.Greeter/Unknown", "/unknown.Service/Method", "/", "/room/general"] {
        for http in [Http::One, Http::Two] {
            let answer =
                fetch(server.addr, http, web_call("application/grpc-web+proto", path, &world())).await;

            assert_eq!(answer.status, StatusCode::OK, "{path}");
            assert_eq!(answer.header("content-type"), "application/grpc-web+proto", "{path}");
            assert_eq!(answer.header("grpc-status"), "12", "{path}");
            assert_eq!(answer.header("grpc-message"), format!("unknown%20method%20{path}"));
        }
        let native = fetch(server.addr, Http::Two, web_call("application/grpc", path, &world())).await;
        assert_eq!(native.header("content-type"), "application/grpc", "{path}");
        assert_eq!(native.header("grpc-status"), "12", "{path}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn invalid_calls_get_an_http_error() {
    let server = TestServer::start().await;

    let json =
        fetch(server.addr, Http::One, web_call("application/grpc-web+json", SAY_HELLO, &world())).await;
    let native = fetch(server.addr, Http::One, web_call("application/grpc", SAY_HELLO, &world())).await;
    let form = fetch(server.addr, Http::One, web_call("text/plain", SAY_HELLO, &world())).await;
    let mut get = bare(Method::GET, SAY_HELLO);
    get.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc-web"));
    let get = fetch(server.addr, Http::One, get).await;

    assert_eq!(json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(native.status, StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    assert_eq!(form.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!((get.status, get.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    server.shutdown().await;
}

#[tokio::test]
async fn malformed_bodies_fail_the_call_only() {
    let server = TestServer::start().await;
    for body in [&b""[..], b"\x00\x00\x00", b"\x00\xff\xff\xff\xff", b"\x00\x00\x00\x00\x02\x0a\x05"] {
        let mut call = web_call("application/grpc-web+proto", SAY_HELLO, &world());
        *call.body_mut() = body.to_vec().into();

        let answer = fetch(server.addr, Http::One, call).await;

        assert_eq!(answer.status, StatusCode::OK, "{body:?}");
        assert!(!["", "0"].contains(&answer.header("grpc-status")), "{body:?}: {:?}", answer.headers);
    }
    let answer = fetch(server.addr, Http::One, web_call("application/grpc-web", SAY_HELLO, &world())).await;
    assert_eq!(web_frames(answer.body), [greeting(), ok()]);
    server.shutdown().await;
}
