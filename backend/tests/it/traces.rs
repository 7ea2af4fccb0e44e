//! Traces of the real program, sent to a collector in this process.

#[cfg(feature = "otlp")]
mod collector;

use std::process::Stdio;

use http::Request;
use http_body_util::Full;
use tokio::time::timeout;

use crate::support::http::{Http, fetch, get};
use crate::support::{ChildServer, PATIENCE, command};

#[cfg(feature = "otlp")]
mod sent {
    use http::HeaderValue;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
    use proto::chat::v1::JoinRequest;
    use proto::helloworld::HelloRequest;

    use super::collector::{Collector, attribute};
    use crate::chat_client::eventually;
    use crate::support::ChildServer;
    use crate::support::http::{Http, fetch, web_call};

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const PARENT: &str = "b7ad6b7169203331";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[tokio::test]
    async fn each_call_is_a_span_of_the_trace_that_it_names() {
        let collector = Collector::start().await;
        let url = collector.url();
        let server = ChildServer::start_with_env(&[
            ("CHINWAG_OTLP_ENDPOINT", &url),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ])
        .await;
        let hello = HelloRequest { name: "Ada".to_owned() };
        let mut call = web_call("application/grpc-web", "/helloworld.Greeter/SayHello", &hello);
        let header = HeaderValue::from_str(&format!("00-{TRACE}-{PARENT}-01")).unwrap();
        call.headers_mut().insert("traceparent", header);
        call.headers_mut().insert("host", HeaderValue::from_static("localhost:8443"));
        fetch(server.addr, Http::One, call).await;
        let join = JoinRequest { name: String::new(), ..Default::default() };
        fetch(server.addr, Http::One, web_call("application/grpc-web", "/chat.v1.ChatService/Join", &join))
            .await;
        fetch(server.addr, Http::One, web_call("application/grpc-web", "/made.Up/Method", &hello)).await;

        eventually("three spans", async || collector.spans().len() == 3).await;

        let [hello, join, unknown] = <[_; 3]>::try_from(collector.spans()).unwrap();
        assert_eq!(hello.name, "helloworld.Greeter/SayHello");
        assert_eq!((hex(&hello.trace_id), hex(&hello.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
        assert_eq!(hello.kind(), SpanKind::Server);
        for (key, value) in [
            ("rpc.system", "grpc"),
            ("rpc.service", "helloworld.Greeter"),
            ("rpc.method", "SayHello"),
            ("rpc.grpc.status_code", "0"),
            ("server.address", "localhost"),
            ("server.port", "8443"),
        ] {
            assert_eq!(attribute(&hello, key).as_deref(), Some(value), "{key}");
        }
        assert!(hello.end_time_unix_nano >= hello.start_time_unix_nano);
        assert_eq!(attribute(&join, "rpc.grpc.status_code").as_deref(), Some("3"));
        // The client's fault is no error of the server.
        assert_eq!(join.status.map_or(StatusCode::Unset, |status| status.code()), StatusCode::Unset);
        assert!(join.parent_span_id.is_empty() && join.trace_id != hello.trace_id);
        assert_eq!(unknown.name, "unknown method", "anybody can make names up");
        assert_eq!(attribute(&unknown, "rpc.method"), None);
        assert_eq!(unknown.status.map(|status| status.code()), Some(StatusCode::Error));
        assert_eq!(collector.service().as_deref(), Some("chinwag"));
    }

    #[tokio::test]
    async fn spans_that_wait_are_sent_at_the_end() {
        let collector = Collector::start().await;
        let url = collector.url();
        let hour = "3600000";
        let mut server = ChildServer::start_with_env(&[
            ("CHINWAG_OTLP_ENDPOINT", &url),
            ("OTEL_BSP_SCHEDULE_DELAY", hour),
        ])
        .await;
        let hello = HelloRequest { name: "Ada".to_owned() };
        fetch(
            server.addr,
            Http::One,
            web_call("application/grpc-web", "/helloworld.Greeter/SayHello", &hello),
        )
        .await;
        assert_eq!(server.terminate().await.code(), Some(0));
        assert_eq!(collector.spans().len(), 1);
    }

    #[tokio::test]
    async fn server_without_its_collector_serves_and_ends() {
        let mut server =
            ChildServer::start_with_env(&[("CHINWAG_OTLP_ENDPOINT", "http://127.0.0.1:1")]).await;
        let hello = HelloRequest { name: "Ada".to_owned() };
        let call = web_call("application/grpc-web", "/helloworld.Greeter/SayHello", &hello);
        let answer = fetch(server.addr, Http::One, call).await;
        assert!(String::from_utf8_lossy(&answer.body).contains("Hello, Ada!"));
        assert_eq!(server.terminate().await.code(), Some(0));
    }
}

#[tokio::test]
async fn wrong_endpoint_is_refused_before_the_port_is_bound() {
    for value in ["127.0.0.1:4317", "ftp://collector", "http://"] {
        let mut server = command();
        server.arg(format!("--otlp-endpoint={value}")).stderr(Stdio::piped());
        let ended = timeout(PATIENCE, server.output()).await.expect("it runs").unwrap();
        assert_eq!(ended.status.code(), Some(2), "{value}");
        let refusal = String::from_utf8(ended.stderr).unwrap();
        assert!(refusal.contains("--otlp-endpoint <URL>"), "{value}: {refusal}");
    }
}

#[tokio::test]
async fn document_asks_the_page_for_traces_and_other_origins_may_send_them() {
    let flags = ["--trace-pages", "--cors-origin=https://app.example"].map(str::to_owned);
    let server = ChildServer::start_with(&flags).await;
    std::fs::create_dir_all(server.page_dir()).unwrap();
    std::fs::write(server.page_dir().join("index.html"), "<p>a page").unwrap();
    assert_eq!(get(server.addr, "/", &[]).await.header("server-timing"), "traceparent");
    let asking = Request::options("/helloworld.Greeter/SayHello")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "traceparent")
        .body(Full::default())
        .unwrap();
    let answer = fetch(server.addr, Http::One, asking).await;
    let allowed = answer.header("access-control-allow-headers");
    assert!(allowed.split(',').any(|name| name == "traceparent"), "{allowed}");

    let other = ChildServer::start().await;
    assert_eq!(get(other.addr, "/", &[]).await.header("server-timing"), "");
}
