//! The native transport: addresses, servers without HTTP/2, building without a runtime.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_web_channel::retry::RetryPolicy;
use tonic_web_channel::{BuildError, Channel, Cookies, Error, Native};

const ASK: HealthCheckRequest = HealthCheckRequest { service: String::new() };

/// An HTTP/2 server that answers NOT_FOUND, and the paths that it was asked for.
async fn server() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let (paths, asked) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let paths = paths.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(client).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    paths.send(request.uri().path().to_owned()).await.unwrap();
                    let head = http::Response::builder()
                        .header("content-type", "application/grpc")
                        .header("grpc-status", "5");
                    respond.send_response(head.body(()).unwrap(), true).unwrap();
                }
            });
        }
    });
    (uri, asked)
}

#[tokio::test]
async fn path_of_the_uri_goes_before_the_path_of_every_call() {
    let (server, mut asked) = server().await;
    let call = async |channel: Channel| HealthClient::new(channel).check(ASK).await.unwrap_err().code();

    for (path, expected) in [
        ("", "/grpc.health.v1.Health/Check"),
        ("/", "/grpc.health.v1.Health/Check"),
        ("/api/v2", "/api/v2/grpc.health.v1.Health/Check"),
        ("/api/", "/api/grpc.health.v1.Health/Check"),
    ] {
        let uri = format!("{server}{path}");
        assert_eq!(call(Channel::builder(&uri).build().unwrap()).await, Code::NotFound);
        assert_eq!(asked.recv().await.unwrap(), expected);

        let connection = tonic::transport::Endpoint::from_shared(server.clone()).unwrap().connect_lazy();
        assert_eq!(
            call(Channel::with_transport(Native::new(uri, connection)).build().unwrap()).await,
            Code::NotFound
        );
        assert_eq!(asked.recv().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn server_without_http_2_is_named() {
    // The first answers like a web server, the second like a TLS server.
    for answer in
        [&b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n"[..], b"\x15\x03\x01\0\x02\x02\x46"]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            client.read_exact(&mut [0; 24]).await.unwrap();
            client.write_all(answer).await.unwrap();
            // Read on, so that closing the connection does not reset it.
            client.shutdown().await.unwrap();
            client.read_to_end(&mut Vec::new()).await.ok();
        });
        let channel = Channel::builder(&uri).retry(RetryPolicy::never()).build().unwrap();

        let status = HealthClient::new(channel).check(ASK).await.unwrap_err();

        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert_eq!(Error::from_status(&status), Some(&Error::NotHttp2 { origin: uri }), "{status:?}");
        assert!(status.message().contains("no HTTP/2 server"), "{status:?}");
        served.await.unwrap();
    }
}

#[test]
fn building_outside_a_runtime_is_an_error() {
    let error = Channel::builder("http://127.0.0.1:50051").build().unwrap_err();
    assert!(matches!(error, BuildError::NoRuntime), "{error}");
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}

#[tokio::test]
async fn options_of_a_page_compile_natively() {
    assert!(matches!(Channel::same_origin().build(), Err(BuildError::NoAddress)));
    assert!(Channel::builder("http://127.0.0.1:50051").cookies(Cookies::Include).build().is_ok());
}

#[tokio::test]
async fn addresses_that_cannot_work_are_refused_with_the_reason() {
    for (address, words) in [
        ("", "address is empty"),
        ("http://", "is not a URI"),
        ("127.0.0.1:50051", "needs a scheme"),
        ("ws://127.0.0.1", "needs a scheme"),
        ("http://ada:secret@127.0.0.1:50051", "user name or a password"),
        ("http://127.0.0.1:99999", "port up to 65535"),
        ("http://127.0.0.1:", "port up to 65535"),
        ("http://[::1]:x", "port up to 65535"),
        ("http://127.0.0.1:50051/api?key=1", "has a query"),
    ] {
        let error = Channel::builder(address).build().unwrap_err().to_string();
        assert!(error.contains(words), "{address}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
    for address in ["http://[::1]:50051", "http://[::1]", "http://127.0.0.1:50051/api", "http://host:80/"] {
        assert!(Channel::builder(address).build().is_ok(), "{address}");
    }
}
