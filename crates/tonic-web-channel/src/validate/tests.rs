//! Whole responses of gRPC-Web, in every format and however they are cut.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::write::GzEncoder;
use futures_util::{Stream, StreamExt as _, stream};
use grpc_wire::message::encode as frame;
use grpc_wire::reader::BodyEnd;
use grpc_wire::web::text;
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use proptest::prelude::*;

use super::corpus::{self, Outcome, outcome, response};
use crate::error::Error;

fn head(headers: &[(&str, &str)]) -> Response<()> {
    let mut builder = Response::builder();
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap()
}

fn binary() -> Response<()> {
    head(&[("content-type", "application/grpc-web+proto")])
}

fn ok_trailers() -> Bytes {
    frame(0x80, b"grpc-status: 0\r\n")
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn failed(result: &Outcome) -> &Error {
    result.error.as_ref().unwrap_or_else(|| panic!("it did not fail: {result:?}"))
}

async fn received(chunks: impl Stream<Item = Result<Bytes, Error>> + Send + 'static) -> Outcome {
    corpus::read(response(binary(), chunks)).await
}

#[test]
fn messages_and_trailers_come_out_of_one_chunk() {
    let message = frame(0, b"hello");
    let result = outcome(binary(), [&[&message[..], &ok_trailers()].concat()[..]]);

    assert_eq!(result.messages, message);
    assert_eq!(result.trailers.unwrap()["grpc-status"], "0");
    assert_eq!(result.error, None);
}

#[test]
fn compressed_trailers_are_read_when_the_encoding_is_gzip_or_hidden() {
    let body = frame(0x81, &gzip(b"grpc-status: 9\r\nx-custom: bing\r\n"));
    let content_type = ("content-type", "application/grpc-web");
    for headers in [&[content_type, ("grpc-encoding", "gzip")][..], &[content_type]] {
        let trailers = outcome(head(headers), [&body[..]]).trailers.unwrap();
        assert_eq!(trailers["grpc-status"], "9");
        assert_eq!(trailers["x-custom"], "bing");
    }
    for encoding in ["identity", "zstd"] {
        let result = outcome(head(&[content_type, ("grpc-encoding", encoding)]), [&body[..]]);
        assert!(matches!(failed(&result), Error::Protocol { .. }), "{encoding}");
    }
}

#[test]
fn compressed_trailers_that_are_invalid_or_too_long_are_errors() {
    let result = outcome(binary(), [&frame(0x81, b"grpc-status: 0\r\n")[..]]);
    assert!(matches!(failed(&result), Error::Protocol { .. }));

    let bomb = frame(0x81, &gzip(&[b'a'; 1_000_000]));
    let result = outcome(binary(), [&bomb[..]]);
    assert_eq!(failed(&result), &Error::MetadataTooLarge { limit: 64 * 1024 });
}

#[test]
fn a_response_with_its_status_in_the_headers_needs_no_body() {
    let result = outcome(head(&[("content-type", "application/grpc-web"), ("grpc-status", "9")]), []);
    assert_eq!(result, Outcome::default());
}

#[test]
fn a_body_after_a_status_in_the_headers_has_to_end_with_trailers() {
    let headers = [("content-type", "application/grpc-web"), ("grpc-status", "8")];
    let result = outcome(head(&headers), [&frame(0x80, b"grpc-status: 9\r\n")[..]]);
    assert_eq!(result.trailers.unwrap()["grpc-status"], "9");

    let result = outcome(head(&headers), [&frame(0, b"cut")[..]]);
    assert_eq!(failed(&result), &Error::Truncated { end: BodyEnd::AfterMessage });
}

#[test]
fn the_end_of_a_cut_body_is_named() {
    for (body, end) in [
        (&b""[..], BodyEnd::Empty),
        (&frame(0, b"whole"), BodyEnd::AfterMessage),
        (b"\0\0\0\0\x05cut", BodyEnd::InsideMessage),
        (b"\x80\0\0\0\x05grpc", BodyEnd::InsideTrailers),
    ] {
        assert_eq!(failed(&outcome(binary(), [body])), &Error::Truncated { end });
    }
    let text = head(&[("content-type", "application/grpc-web-text")]);
    assert_eq!(failed(&outcome(text, [&b"AAA"[..]])), &Error::Truncated { end: BodyEnd::InsideBase64 });
}

#[test]
fn a_failing_http_status_explains_a_body_without_trailers() {
    let mut head = binary();
    *head.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(failed(&outcome(head, [])), &Error::Http { status: 503 });
}

#[test]
fn nothing_may_follow_the_trailers() {
    for more in [&b"\0"[..], &ok_trailers()] {
        let result = outcome(binary(), [&ok_trailers()[..], more]);
        assert!(matches!(failed(&result), Error::Protocol { .. }), "{more:?}");
        assert_eq!(result.trailers, None);
    }
}

#[test]
fn text_cut_behind_the_trailers_is_an_error() {
    let text = text::encode(&ok_trailers()) + "AA";
    let result = outcome(head(&[("content-type", "application/grpc-web-text")]), [text.as_bytes()]);
    assert_eq!(failed(&result), &Error::Truncated { end: BodyEnd::InsideBase64 });
    assert_eq!(result.trailers, None);
}

#[test]
fn the_text_format_is_read_with_padding_inside_frames() {
    let body = [frame(0, b"hello"), ok_trailers()].concat();
    let parts: String = body.chunks(4).map(text::encode).collect();
    assert!(parts.contains("=="));
    let result = outcome(head(&[("content-type", "application/grpc-web-text+proto")]), [parts.as_bytes()]);
    assert_eq!(result.messages, frame(0, b"hello"));
    assert_eq!(result.trailers.unwrap()["grpc-status"], "0");
}

#[test]
fn text_that_is_not_base64_is_an_error() {
    let result = outcome(head(&[("content-type", "application/grpc-web-text")]), [&b"AAAA@@@@"[..]]);
    assert!(matches!(failed(&result), Error::Protocol { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_an_error_until_the_trailers_have_come() {
    let lost = || Err(Error::ConnectionLost { reason: "reset".into() });

    let result = received(stream::iter([Ok(frame(0, b"one")), lost()])).await;
    assert_eq!(result.messages, frame(0, b"one"));
    assert_eq!(result.error, lost().err());

    let result = received(stream::iter([Ok(ok_trailers()), lost()])).await;
    assert_eq!(result.trailers.unwrap()["grpc-status"], "0");
}

#[tokio::test(start_paused = true)]
async fn trailers_of_a_body_that_does_not_end_are_returned_soon() {
    let start = tokio::time::Instant::now();
    let never_ending = stream::iter([Ok(ok_trailers())]).chain(stream::pending());

    let result = received(never_ending).await;

    assert_eq!(result.trailers.unwrap()["grpc-status"], "0");
    assert!(start.elapsed() <= Duration::from_secs(2), "it took {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_source_is_dropped_when_the_body_fails() {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    sender.send(Ok(Bytes::from_static(b"\x42"))).await.unwrap();
    let chunks = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut body = corpus::validated(response(binary(), chunks)).await.unwrap().body;

    assert!(body.frame().await.unwrap().is_err());
    assert!(sender.is_closed(), "the request goes on, although nobody reads it");
}

/// The corpus of grpc-wire's fuzz target, through everything that a response goes through here.
#[test]
fn every_case_of_the_corpus_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../grpc-wire/fuzz/corpus/web_response");
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let case = entry.unwrap().path();
        println!("{}", case.display());
        corpus::check(&std::fs::read(case).unwrap());
        cases += 1;
    }
    assert!(cases >= 30, "{cases} cases are not the corpus");
}

/// Messages with their flags, and trailers with their names.
type Parts = (Vec<(bool, Vec<u8>)>, Vec<(String, String)>);

fn parts() -> impl Strategy<Value = Parts> {
    let message = (any::<bool>(), prop::collection::vec(any::<u8>(), 0..300));
    let line = ("[a-zA-Z][a-zA-Z0-9-]{0,10}[a-z]", "[!-~]([ -~]{0,20}[!-~])?");
    let no_binary = line.prop_filter("binary values are split and the status is judged", |(name, _)| {
        let name = name.to_lowercase();
        !name.ends_with("-bin") && !name.starts_with("grpc-")
    });
    (prop::collection::vec(message, 0..6), prop::collection::vec(no_binary, 0..10))
}

proptest! {
    #[test]
    fn cuts_do_not_change_a_valid_response(
        (messages, lines) in parts(),
        text_form: bool,
        compressed: bool,
        space: bool,
        lengths in prop::collection::vec(any::<u8>(), 0..20),
        part in 1..50_usize,
    ) {
        let data: Vec<u8> = messages.iter().flat_map(|(flag, bytes)| frame(u8::from(*flag), bytes)).collect();
        let colon = if space { ": " } else { ":" };
        let lines = [vec![("grpc-status".to_owned(), "0".to_owned())], lines].concat();
        let block: String = lines.iter().map(|(name, value)| format!("{name}{colon}{value}\r\n")).collect();
        let last = if compressed { frame(0x81, &gzip(block.as_bytes())) } else { frame(0x80, block.as_bytes()) };
        let mut body = [&data[..], &last].concat();
        let mut content_type = "application/grpc-web";
        if text_form {
            body = body.chunks(part).map(text::encode).collect::<String>().into_bytes();
            content_type = "application/grpc-web-text";
        }
        let mut expected = HeaderMap::new();
        for (name, value) in &lines {
            expected.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }

        let head = head(&[("content-type", content_type), ("grpc-encoding", "gzip")]);
        let result = outcome(head, corpus::cut(&body, &lengths));

        prop_assert_eq!(result, Outcome { messages: data, trailers: Some(expected), error: None });
    }

    #[test]
    fn cuts_do_not_change_random_bytes(
        data in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        corpus::check(&data);
    }

    /// Random bytes are seldom frames; these have flags, lengths and cuts that are often right.
    #[test]
    fn cuts_do_not_change_an_almost_valid_response(
        kind in 0..16_u8,
        lengths in prop::collection::vec(0..9_u8, 0..6),
        frames in prop::collection::vec(
            (prop::sample::select(vec![0, 1, 0x80, 0x81, 2]), "[ -~\r\n:\t]{0,30}", 0..12_usize),
            0..5,
        ),
    ) {
        let mut data = vec![kind, u8::try_from(lengths.len()).unwrap()];
        data.extend(&lengths);
        for (flags, payload, cut) in frames {
            let bytes = frame(flags, payload.as_bytes());
            data.extend(&bytes[..bytes.len() - cut.saturating_sub(8).min(bytes.len())]);
        }
        corpus::check(&data);
    }
}
