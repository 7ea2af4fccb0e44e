//! Requests that keep to the rules and requests that do not, cut anywhere.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use http_body_util::{BodyExt as _, StreamBody};

use super::*;

const ONE: Rules = Rules { max_message_size: 100, exactly_one: true, between: Awaited::Rest };
const MANY: Rules = Rules { max_message_size: 100, exactly_one: false, between: Awaited::Next };
const BOTH: Rules = Rules { max_message_size: 100, exactly_one: false, between: Awaited::Anything };

const PACE: PaceLimits =
    PaceLimits { time: Duration::from_secs(30), bytes_per_second: 10, pause: Duration::from_secs(20) };

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
    let mut body = std::pin::pin!(CheckedBody::new(body, rules, PACE, None));
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
    let mut body = std::pin::pin!(CheckedBody::new(StreamBody::new(stream::iter(frames)), MANY, PACE, None));

    body.frame().await.unwrap().unwrap();

    assert_eq!(body.frame().await.unwrap().unwrap_err().code(), Code::Unavailable);
}

/// A request whose pieces come one after another, each after a number of seconds, and what becomes of it.
async fn timed(rules: Rules, pieces: Vec<(u64, Vec<u8>)>) -> (Option<Code>, u64) {
    let begin = tokio::time::Instant::now();
    let frames = stream::iter(pieces).then(|(seconds, piece)| async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok::<_, Infallible>(Frame::data(Bytes::from(piece)))
    });
    let mut body = std::pin::pin!(CheckedBody::new(StreamBody::new(frames), rules, PACE, None));
    let mut code = None;
    while let Some(frame) = body.frame().await {
        code = frame.err().map(|status| status.code());
    }
    (code, begin.elapsed().as_secs())
}

fn bytes_of(messages: &[u8], seconds: u64) -> Vec<(u64, Vec<u8>)> {
    let bytes: Vec<u8> = messages.iter().flat_map(|length| message(*length)).collect();
    bytes.into_iter().map(|byte| (seconds, vec![byte])).collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_byte_by_byte_is_ended() {
    let late = Some(Code::DeadlineExceeded);
    // Thirty seconds, and one more for ten bytes.
    assert_eq!(timed(ONE, bytes_of(&[100], 1)).await, (late, 33));
    // A message of a stream: from its first byte.
    assert_eq!(timed(MANY, bytes_of(&[100], 1)).await, (late, 1 + 33));
    assert_eq!(timed(BOTH, bytes_of(&[100], 1)).await, (late, 1 + 33));
}

#[tokio::test(start_paused = true)]
async fn messages_that_come_in_time_one_by_one_are_as_many_as_they_like() {
    assert_eq!(timed(MANY, bytes_of(&[10; 20], 1)).await, (None, 20 * 15));
    assert_eq!(timed(BOTH, bytes_of(&[10; 20], 1)).await, (None, 20 * 15));
    let bytes: Vec<u8> = (0..20).flat_map(|_| message(10)).collect();
    // The end of one with the beginning of the next.
    let halves: Vec<_> = bytes.chunks(8).map(|half| (8, half.to_vec())).collect();
    let number = halves.len() as u64;
    assert_eq!(timed(MANY, halves).await, (None, 8 * number));
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_ended_but_between_the_messages_of_both_directions() {
    let two = |pause| vec![(0, message(3)), (pause, message(3))];
    assert_eq!(timed(MANY, two(19)).await.0, None);
    assert_eq!(timed(MANY, two(21)).await, (Some(Code::DeadlineExceeded), 20));
    assert_eq!(timed(BOTH, two(1_000)).await.0, None);
    let inside = vec![(0, message(3)[..6].to_vec()), (21, message(3)[6..].to_vec())];
    assert_eq!(timed(BOTH, inside).await, (Some(Code::DeadlineExceeded), 20));
    assert_eq!(timed(ONE, vec![(21, message(3))]).await, (Some(Code::DeadlineExceeded), 20));
}
