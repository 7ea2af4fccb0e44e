//! Valid and invalid responses, byte by byte.

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_web_channel::retry::RetryPolicy;
use tonic_web_channel::{BodyEnd, Channel, CompressionEncoding, Error, MessageCount, Method, MethodKind};
use tower::Service as _;

use crate::support::canned::{Canned, Reply, framed, reply};
use crate::support::{Seen, ask};

/// The result of a generated client's unary call.
async fn check(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Result<i32, Status> {
    let channel = Canned::always(answer).builder().build().unwrap();
    HealthClient::new(channel).check(ask()).await.map(|response| response.into_inner().status)
}

/// The messages of a generated client's stream, then its end.
async fn watch(answer: impl Fn() -> Reply + Send + Sync + 'static) -> (Vec<i32>, Result<(), Status>) {
    let channel = Canned::always(answer).builder().build().unwrap();
    let mut messages = Vec::new();
    let mut stream = match HealthClient::new(channel).watch(ask()).await {
        Ok(stream) => stream.into_inner(),
        Err(status) => return (messages, Err(status)),
    };
    while let Some(message) = stream.next().await {
        match message {
            Ok(message) => messages.push(message.status),
            Err(status) => return (messages, Err(status)),
        }
    }
    (messages, Ok(()))
}

#[tokio::test]
async fn a_unary_response_without_a_message_is_a_cardinality_error() {
    let in_trailers = check(|| reply().ok()).await.unwrap_err();
    let in_headers = check(|| reply().header("grpc-status", "0").header("x-a", "b")).await.unwrap_err();

    for status in [&in_trailers, &in_headers] {
        assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
        assert_eq!(Error::from_status(status), Some(&Error::Cardinality { found: MessageCount::Zero }));
    }
    assert_eq!(in_headers.metadata().get("x-a").unwrap(), "b");
}

#[tokio::test]
async fn a_unary_response_with_two_messages_is_a_cardinality_error() {
    let in_two_chunks = check(|| reply().serving().serving().ok()).await.unwrap_err();
    let in_one = check(|| reply().bytes([framed(0, &[8, 1]), framed(0, &[8, 1])].concat()).ok()).await;

    for status in [in_two_chunks, in_one.unwrap_err()] {
        assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
        assert_eq!(Error::from_status(&status), Some(&Error::Cardinality { found: MessageCount::Several }));
    }
}

#[tokio::test]
async fn a_failure_after_a_message_is_reported() {
    let status = check(|| reply().serving().trailers(&[("grpc-status", "9"), ("grpc-message", "no")]))
        .await
        .unwrap_err();

    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "no"));
}

#[tokio::test]
async fn a_method_outside_the_table_may_answer_with_two_messages() {
    let canned = Canned::always(|| reply().serving().serving().ok());
    let channel = Channel::builder("http://canned.test").transport(canned).build().unwrap();

    assert!(HealthClient::new(channel).check(ask()).await.is_ok());
}

#[tokio::test]
async fn a_stream_may_be_empty_and_have_its_status_in_the_headers() {
    assert!(
        matches!(watch(|| reply().header("grpc-status", "0")).await, (messages, Ok(())) if messages.is_empty())
    );
    assert!(matches!(watch(|| reply().ok()).await, (messages, Ok(())) if messages.is_empty()));

    let (_, ended) = watch(|| reply().header("grpc-status", "5").header("grpc-message", "gone")).await;
    assert_eq!(ended.unwrap_err().message(), "gone");
}

#[tokio::test]
async fn a_status_in_the_headers_is_ignored_when_a_body_follows() {
    let status = check(|| reply().header("grpc-status", "8").trailers(&[("grpc-status", "9")])).await;
    assert_eq!(status.unwrap_err().code(), Code::FailedPrecondition);

    assert_eq!(check(|| reply().header("grpc-status", "8").serving().ok()).await.unwrap(), 1);
    // tonic alone takes the 0 for the whole truth.
    let status =
        check(|| reply().header("grpc-status", "0").bytes(Bytes::new()).trailers(&[("grpc-status", "7")]))
            .await;
    assert_eq!(status.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn malformed_details_are_removed_and_reported() {
    for in_headers in [true, false] {
        let seen = Seen::default();
        let pairs = [("grpc-status", "5"), ("grpc-status-details-bin", "not base64!"), ("x-a", "b")];
        let canned = Canned::always(move || match in_headers {
            true => pairs.iter().fold(reply(), |reply, (name, value)| reply.header(name, value)),
            false => reply().trailers(&pairs),
        });
        let channel = canned.builder().observer(seen.observer()).build().unwrap();

        let status = HealthClient::new(channel).check(ask()).await.unwrap_err();

        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.metadata().get("x-a").unwrap(), "b");
        assert!(status.details().is_empty());
        assert!(
            seen.lines().iter().any(|line| line.contains("grpc-status-details-bin")),
            "{:?}",
            seen.lines()
        );
    }
}

#[tokio::test]
async fn a_truncated_body_names_the_place() {
    let end = |status: Status| match Error::from_status(&status) {
        Some(Error::Truncated { end }) => (status.code(), *end),
        other => panic!("{other:?}"),
    };

    assert_eq!(end(check(reply).await.unwrap_err()), (Code::Internal, BodyEnd::Empty));
    assert_eq!(end(check(|| reply().serving()).await.unwrap_err()), (Code::Internal, BodyEnd::AfterMessage));
    let (messages, ended) = watch(|| reply().serving().bytes(vec![0, 0, 0])).await;
    assert_eq!(messages, [1]);
    assert_eq!(end(ended.unwrap_err()), (Code::Internal, BodyEnd::InsidePrefix));
    // Trailers do not make it whole.
    let (messages, ended) = watch(|| reply().serving().bytes(vec![0, 0, 0, 0, 2, 8]).ok()).await;
    assert_eq!(messages, [1]);
    assert_eq!(end(ended.unwrap_err()), (Code::Internal, BodyEnd::InsideMessage));
}

#[tokio::test]
async fn trailers_without_a_status_are_a_protocol_error() {
    let status = check(|| reply().trailers(&[("grpc-message", "error")])).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(matches!(Error::from_status(&status), Some(Error::Protocol { .. })));
}

#[tokio::test]
async fn an_http_error_has_the_code_of_the_specification() {
    for (http, code) in [(404, Code::Unimplemented), (502, Code::Unavailable), (403, Code::PermissionDenied)]
    {
        let page = move || reply().http(http).header("content-type", "text/html").bytes("<html>");
        let channel = Canned::always(page).builder().retry(RetryPolicy::never()).build().unwrap();

        let status = HealthClient::new(channel).check(ask()).await.unwrap_err();

        assert_eq!((status.code(), Error::from_status(&status)), (code, Some(&Error::Http { status: http })));
    }
}

#[tokio::test]
async fn unagreed_encodings_and_flags_are_internal_errors() {
    let unknown = check(|| reply().header("grpc-encoding", "br").serving().ok()).await.unwrap_err();
    let unannounced = check(|| reply().message(1, &[8, 1]).ok()).await.unwrap_err();
    let undefined = check(|| reply().message(4, &[8, 1]).ok()).await.unwrap_err();

    for status in [unknown, unannounced, undefined] {
        assert_eq!(status.code(), Code::Internal, "{status:?}");
        assert!(matches!(Error::from_status(&status), Some(Error::Protocol { .. })));
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_by_its_prefix_after_those_before_it() {
    // Only the prefix of the second message ever comes.
    let canned =
        Canned::always(|| reply().bytes([&framed(0, &[8, 1])[..], &[0, 0, 1, 0, 1]].concat()).hangs());
    let channel = canned.builder().max_message_size(65_536).build().unwrap();

    let mut stream = HealthClient::new(channel).watch(ask()).await.unwrap().into_inner();

    assert_eq!(stream.next().await.unwrap().unwrap().status, 1);
    let status = stream.next().await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(Error::from_status(&status), Some(&Error::MessageTooLarge { size: 65_537, limit: 65_536 }));
}

#[tokio::test]
async fn metadata_over_the_limit_is_refused_in_headers_and_trailers() {
    let long = "x".repeat(1_000);
    let (in_headers, in_trailers) = (long.clone(), long);
    let headers = Canned::always(move || reply().header("x-a", &in_headers).serving().ok());
    let trailers =
        Canned::always(move || reply().serving().trailers(&[("grpc-status", "0"), ("x-a", &in_trailers)]));

    for canned in [headers, trailers] {
        let channel = canned.builder().max_metadata_size(1_000).build().unwrap();
        let status = HealthClient::new(channel).check(ask()).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(Error::from_status(&status), Some(&Error::MetadataTooLarge { limit: 1_000 }));
    }
}

#[tokio::test]
async fn a_call_counts_as_open_until_its_stream_has_ended_or_was_dropped() {
    let canned = Canned::new(|sent| async move {
        Ok(if sent.number == 0 { reply().serving().hangs() } else { reply().serving().ok() }.into_response())
    });
    let channel = canned.builder().max_open_calls(1).build().unwrap();
    let mut client = HealthClient::new(channel);

    let open = client.watch(ask()).await.unwrap();
    let status = client.check(ask()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(Error::from_status(&status), Some(&Error::TooManyCalls { limit: 1 }));
    drop(open);

    let mut stream = client.watch(ask()).await.unwrap().into_inner();
    while stream.next().await.is_some() {}
    // The stream is still here, and its call is over.
    client.check(ask()).await.unwrap();
    assert_eq!(canned.sent().len(), 3, "a refused call is not sent");
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed), &mut plain).unwrap();
    plain
}

#[tokio::test]
async fn compressed_messages_are_decompressed_however_they_are_cut() {
    let bytes =
        [framed(1, &gzip(&[8, 1])), framed(0, &[8, 2]), framed(1, &gzip(&[])), framed(1, &[])].concat();
    for size in [1, 2, 7, bytes.len()] {
        let bytes = bytes.clone();
        let (messages, ended) = watch(move || {
            let start = reply().header("grpc-encoding", "gzip");
            bytes.chunks(size).fold(start, |reply, chunk| reply.bytes(chunk.to_vec())).ok()
        })
        .await;
        ended.unwrap();
        assert_eq!(messages, [1, 2, 0, 0], "in chunks of {size}");
    }
}

#[tokio::test]
async fn limits_and_cardinality_hold_for_compressed_messages() {
    let packed = |flags, plain: &[u8]| reply().header("grpc-encoding", "gzip").message(flags, &gzip(plain));

    let two = check(move || packed(1, &[8, 1]).message(1, &gzip(&[8, 1])).ok()).await.unwrap_err();
    assert_eq!(Error::from_status(&two), Some(&Error::Cardinality { found: MessageCount::Several }));

    let bomb = Canned::always(move || packed(1, &[0; 100_000]).ok());
    let channel = bomb.builder().max_message_size(50_000).build().unwrap();
    let status = HealthClient::new(channel).check(ask()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(matches!(Error::from_status(&status), Some(Error::MessageTooLarge { limit: 50_000, .. })));

    let broken =
        check(|| reply().header("grpc-encoding", "gzip").message(1, b"no gzip").ok()).await.unwrap_err();
    assert!(matches!(Error::from_status(&broken), Some(Error::Protocol { .. })), "{broken:?}");

    let cut =
        check(|| reply().header("grpc-encoding", "gzip").bytes(vec![1, 0, 0, 0, 9, 1])).await.unwrap_err();
    assert_eq!(Error::from_status(&cut), Some(&Error::Truncated { end: BodyEnd::InsideMessage }));
}

#[tokio::test]
async fn gzip_is_offered_unless_turned_off() {
    for (accept, offered) in [(Some(CompressionEncoding::Gzip), Some("gzip,identity")), (None, None)] {
        let canned = Canned::always(|| reply().serving().ok());
        let channel = canned.builder().accept_compressed(accept).build().unwrap();
        HealthClient::new(channel).check(ask()).await.unwrap();
        let headers = &canned.sent()[0].headers;
        assert_eq!(headers.get("grpc-accept-encoding").map(|value| value.to_str().unwrap()), offered);
    }
}

#[tokio::test]
async fn requests_are_compressed_where_that_makes_them_smaller() {
    let canned = Canned::always(|| reply().serving().ok());
    let seen = Seen::default();
    let builder = canned.builder().send_compressed(CompressionEncoding::Gzip).observer(seen.observer());
    let mut client = HealthClient::new(builder.build().unwrap());

    let service = "a".repeat(1_000);
    client.check(HealthCheckRequest { service: service.clone() }).await.unwrap();
    client.check(HealthCheckRequest { service: "short".to_owned() }).await.unwrap();

    let [long, short] = &canned.sent()[..] else { panic!() };
    assert_eq!(long.headers["grpc-encoding"], "gzip");
    assert_eq!(long.body[0], 1);
    assert!(gunzip(&long.body[5..]).ends_with(service.as_bytes()));
    assert_eq!(short.headers["grpc-encoding"], "gzip");
    assert_eq!(short.body, framed(0, b"\x0a\x05short"));
    assert!(seen.lines().contains(&format!("sent {}", long.body.len() - 5)), "{:?}", seen.lines());
}

#[tokio::test]
async fn a_client_stream_with_two_responses_is_a_cardinality_error() {
    let path = http::uri::PathAndQuery::from_static("/x.Y/Z");
    let canned = Canned::always(|| reply().serving().serving().ok());
    let channel =
        canned.builder().methods([Method::new("/x.Y/Z", MethodKind::ClientStreaming)]).build().unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();

    let requests = futures_util::stream::iter([HealthCheckRequest::default(), HealthCheckRequest::default()]);
    let codec =
        tonic_prost::ProstCodec::<HealthCheckRequest, tonic_health::pb::HealthCheckResponse>::default();
    let status = client.client_streaming(Request::new(requests), path, codec).await.unwrap_err();

    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_large_chunk_is_handed_on_in_pieces() {
    let message = framed(0, &[7; 1_000_000]);
    let expected = message.clone();
    let mut channel = Canned::always(move || reply().bytes(message.clone()).ok()).builder().build().unwrap();
    let request =
        http::Request::post("/grpc.health.v1.Health/Watch").body(tonic::body::Body::empty()).unwrap();

    let mut body = channel.call(request).await.unwrap().into_body();

    let mut received = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame.unwrap().into_data() {
            assert!(piece.len() <= 256 * 1024, "{} bytes at once", piece.len());
            received.extend_from_slice(&piece);
        }
    }
    assert!(received == expected);
}
