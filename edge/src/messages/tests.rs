//! Requests that keep to the rules and requests that do not, cut anywhere.

use std::convert::Infallible;

use futures_util::stream;
use http::HeaderMap;
use http_body_util::{BodyExt as _, StreamBody};

use super::*;

const ONE: Rules = Rules { max_message_size: 100, exactly_one: true };
const MANY: Rules = Rules { max_message_size: 100, exactly_one: false };

fn message(length: u8) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, length];
    bytes.resize(bytes.len() + usize::from(length), b'x');
    bytes
}

/// What passes of `bytes` when they come in pieces of `size`, and how it ends.
async fn checked(rules: Rules, bytes: &[u8], size: usize, trailers: bool) -> (usize, Option<Code>) {
    let mut frames: Vec<_> =
        bytes.chunks(size).map(|piece| Frame::data(Bytes::copy_from_slice(piece))).collect();
    if trailers {
        frames.push(Frame::trailers(HeaderMap::new()));
    }
    let body = StreamBody::new(stream::iter(frames.into_iter().map(Ok::<_, Infallible>)));
    let mut body = std::pin::pin!(CheckedBody::new(body, rules, None));
    assert!(!body.is_end_stream());
    let mut passed = 0;
    loop {
        match body.frame().await {
            Some(Ok(frame)) if frame.is_trailers() => return (passed, None),
            Some(Ok(frame)) => passed += frame.into_data().unwrap().len(),
            Some(Err(status)) => {
                assert!(body.frame().await.is_none(), "it goes on after an error");
                return (passed, Some(status.code()));
            }
            None => return (passed, None),
        }
    }
}

async fn ends(rules: Rules, bytes: &[u8], good: usize, code: Option<Code>) {
    for size in 1..=bytes.len().max(1) {
        for trailers in [false, true] {
            let (passed, ended) = checked(rules, bytes, size, trailers).await;
            assert_eq!(ended, code, "in pieces of {size}");
            // Of a prefix that is refused, the part that came alone has passed already.
            assert!((good..good + PREFIX).contains(&passed), "{passed} bytes in pieces of {size}");
        }
    }
}

#[tokio::test]
async fn one_message_and_no_other_is_taken_where_one_is_due() {
    let two = [message(3), message(0)].concat();
    ends(ONE, &message(0), 5, None).await;
    ends(ONE, &message(9), 14, None).await;
    ends(ONE, b"", 0, Some(Code::Unimplemented)).await;
    ends(ONE, &two, 8, Some(Code::Unimplemented)).await;
}

#[tokio::test]
async fn a_stream_may_have_any_number_of_messages() {
    ends(MANY, b"", 0, None).await;
    ends(MANY, &[message(0), message(7), message(0)].concat(), 22, None).await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_by_its_length_alone() {
    ends(MANY, &message(100), 105, None).await;
    ends(MANY, &message(101)[..5], 0, Some(Code::ResourceExhausted)).await;
    ends(MANY, &[message(2), message(101)].concat(), 7, Some(Code::ResourceExhausted)).await;
    ends(ONE, b"\x01\xff\xff\xff\xff", 0, Some(Code::ResourceExhausted)).await;
}

#[tokio::test]
async fn a_request_that_ends_inside_a_message_is_no_end() {
    for cut in 1..12 {
        for rules in [ONE, MANY] {
            ends(rules, &message(7)[..cut], cut, Some(Code::Internal)).await;
        }
    }
}

#[tokio::test]
async fn a_call_that_was_given_up_is_not_taken_for_a_whole_request() {
    let frames = [Ok(Frame::data(Bytes::from(message(1)))), Err(Status::cancelled("left"))];
    let mut body = std::pin::pin!(CheckedBody::new(StreamBody::new(stream::iter(frames)), MANY, None));

    body.frame().await.unwrap().unwrap();

    assert_eq!(body.frame().await.unwrap().unwrap_err().code(), Code::Unavailable);
}
