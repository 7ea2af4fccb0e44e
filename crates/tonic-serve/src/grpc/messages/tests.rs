//! Requests within the rules and violations, cut anywhere.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use grpc_wire::message::{PREFIX_LEN, encode};
use http::HeaderMap;
use http_body_util::{BodyExt as _, StreamBody};

use super::*;

const UNARY: MessageRules =
    MessageRules { max_message_size: 100, exactly_one: true, between_messages: Applies::TotalAndPause };
const STREAM: MessageRules =
    MessageRules { max_message_size: 100, exactly_one: false, between_messages: Applies::PauseOnly };
const BIDI: MessageRules =
    MessageRules { max_message_size: 100, exactly_one: false, between_messages: Applies::Nothing };

const TIMEOUTS: BodyTimeouts =
    BodyTimeouts { total: Duration::from_secs(30), bytes_per_second: 10, pause: Duration::from_secs(20) };

fn message(length: u8) -> Bytes {
    encode(0, &vec![b'x'; length.into()])
}

/// The number of `bytes` that pass when they come in chunks of `size`, and the code of the error.
async fn checked(rules: MessageRules, bytes: &[u8], size: usize, trailers: bool) -> (usize, Option<Code>) {
    let mut frames: Vec<_> =
        bytes.chunks(size).map(|chunk| Frame::data(Bytes::copy_from_slice(chunk))).collect();
    if trailers {
        frames.push(Frame::trailers(HeaderMap::new()));
    }
    let body = StreamBody::new(stream::iter(frames.into_iter().map(Ok::<_, Infallible>)));
    let mut body = std::pin::pin!(CheckedBody::new(body, rules, TIMEOUTS, None));
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

async fn assert_ends(rules: MessageRules, bytes: &[u8], good: usize, code: Option<Code>) {
    for size in 1..=bytes.len().max(1) {
        for trailers in [false, true] {
            let (passed, ended) = checked(rules, bytes, size, trailers).await;
            assert_eq!(ended, code, "in chunks of {size}");
            // An earlier chunk may have passed a part of the refused prefix.
            assert!((good..good + PREFIX_LEN).contains(&passed), "{passed} bytes in chunks of {size}");
        }
    }
}

#[tokio::test]
async fn a_unary_request_has_exactly_one_message() {
    let two = [message(3), message(0)].concat();
    assert_ends(UNARY, &message(0), 5, None).await;
    assert_ends(UNARY, &message(9), 14, None).await;
    assert_ends(UNARY, b"", 0, Some(Code::Unimplemented)).await;
    assert_ends(UNARY, &two, 8, Some(Code::Unimplemented)).await;
}

#[tokio::test]
async fn a_stream_may_have_any_number_of_messages() {
    assert_ends(STREAM, b"", 0, None).await;
    assert_ends(STREAM, &[message(0), message(7), message(0)].concat(), 22, None).await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_by_its_prefix() {
    assert_ends(STREAM, &message(100), 105, None).await;
    assert_ends(STREAM, &message(101)[..5], 0, Some(Code::ResourceExhausted)).await;
    assert_ends(STREAM, &[message(2), message(101)].concat(), 7, Some(Code::ResourceExhausted)).await;
    assert_ends(UNARY, b"\x01\xff\xff\xff\xff", 0, Some(Code::ResourceExhausted)).await;
}

#[tokio::test]
async fn a_request_that_ends_inside_a_message_is_an_error() {
    for cut in 1..12 {
        for rules in [UNARY, STREAM] {
            assert_ends(rules, &message(7)[..cut], cut, Some(Code::Internal)).await;
        }
    }
}

#[test]
fn a_whole_message_stays_in_memory_only_where_it_is_the_request() {
    let held = |rules, bytes: &[u8]| {
        let mut scan = MessageScan::new(rules);
        scan.scan(bytes).unwrap();
        scan.held()
    };
    for (rules, whole) in [(UNARY, 7), (STREAM, 0), (BIDI, 0)] {
        assert_eq!(held(rules, &message(7)[..4]), 0, "a part of the prefix");
        assert_eq!(held(rules, &message(7)[..8]), 3, "a part of the payload");
        assert_eq!(held(rules, &message(7)), whole);
    }
}

#[tokio::test]
async fn a_cancelled_call_is_not_a_complete_request() {
    let frames = [Ok(Frame::data(message(1))), Err(Status::cancelled("left"))];
    let mut body =
        std::pin::pin!(CheckedBody::new(StreamBody::new(stream::iter(frames)), STREAM, TIMEOUTS, None));

    body.frame().await.unwrap().unwrap();

    assert_eq!(body.frame().await.unwrap().unwrap_err().code(), Code::Unavailable);
}

/// A request whose chunks come after a number of seconds each: the code of the error, and the duration.
async fn timed(rules: MessageRules, chunks: Vec<(u64, Bytes)>) -> (Option<Code>, u64) {
    let begin = tokio::time::Instant::now();
    let frames = stream::iter(chunks).then(|(seconds, chunk)| async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok::<_, Infallible>(Frame::data(chunk))
    });
    let mut body = std::pin::pin!(CheckedBody::new(StreamBody::new(frames), rules, TIMEOUTS, None));
    let mut code = None;
    while let Some(frame) = body.frame().await {
        code = frame.err().map(|status| status.code());
    }
    (code, begin.elapsed().as_secs())
}

/// The bytes of messages with these lengths, each after `seconds`.
fn bytes_of(messages: &[u8], seconds: u64) -> Vec<(u64, Bytes)> {
    let bytes: Vec<u8> = messages.iter().flat_map(|length| message(*length)).collect();
    bytes.into_iter().map(|byte| (seconds, Bytes::from(vec![byte]))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_byte_by_byte_times_out() {
    let late = Some(Code::DeadlineExceeded);
    // Thirty seconds, and one more for ten bytes.
    assert_eq!(timed(UNARY, bytes_of(&[100], 1)).await, (late, 33));
    // For a message of a stream, the time begins with its first byte.
    assert_eq!(timed(STREAM, bytes_of(&[100], 1)).await, (late, 1 + 33));
    assert_eq!(timed(BIDI, bytes_of(&[100], 1)).await, (late, 1 + 33));
}

#[tokio::test(start_paused = true)]
async fn a_unary_request_may_come_slowly_within_its_timeouts() {
    // Longer in all than a single pause may be.
    assert_eq!(timed(UNARY, bytes_of(&[3], 3)).await, (None, 8 * 3));
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_last_for_any_time_when_its_messages_come_in_time() {
    assert_eq!(timed(STREAM, bytes_of(&[10; 20], 1)).await, (None, 20 * 15));
    assert_eq!(timed(BIDI, bytes_of(&[10; 20], 1)).await, (None, 20 * 15));
    let bytes: Vec<u8> = (0..20).flat_map(|_| message(10)).collect();
    // Each chunk has the end of a message and the beginning of the next.
    let halves: Vec<_> = bytes.chunks(8).map(|half| (8, Bytes::copy_from_slice(half))).collect();
    let number = halves.len() as u64;
    assert_eq!(timed(STREAM, halves).await, (None, 8 * number));
}

#[tokio::test(start_paused = true)]
async fn a_pause_times_out_except_between_messages_of_a_bidirectional_stream() {
    let two = |pause| vec![(0, message(3)), (pause, message(3))];
    assert_eq!(timed(STREAM, two(19)).await.0, None);
    assert_eq!(timed(STREAM, two(21)).await, (Some(Code::DeadlineExceeded), 20));
    assert_eq!(timed(BIDI, two(1_000)).await.0, None);
    let inside = vec![(0, message(3).slice(..6)), (21, message(3).slice(6..))];
    assert_eq!(timed(BIDI, inside).await, (Some(Code::DeadlineExceeded), 20));
    assert_eq!(timed(UNARY, vec![(21, message(3))]).await, (Some(Code::DeadlineExceeded), 20));
}

#[test]
fn a_message_is_whole_at_its_last_byte() {
    let mut scan = MessageScan::new(STREAM);
    let mut is_whole_after = |bytes: &[u8]| {
        scan.scan(bytes).unwrap();
        scan.has_whole_message()
    };
    let (first, second) = (message(3), message(2));
    assert!(!is_whole_after(b""));
    assert!(!is_whole_after(&first[..PREFIX_LEN]));
    assert!(!is_whole_after(&first[PREFIX_LEN..7]));
    assert!(is_whole_after(&first[7..]));
    assert!(is_whole_after(&second[..6]), "the first one stays");
}
