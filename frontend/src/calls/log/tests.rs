//! Tests of the log: events of a call, limits, notes.

use grpc_inspect::frame::{MAX_MESSAGES, MAX_PAYLOAD_BYTES};
use http::HeaderMap;
use tonic::Status;

use super::*;
use crate::calls::metadata::Value;

fn started(path: &str) -> CallEventKind {
    CallEventKind::Started { path: path.to_owned(), kind: None, metadata: HeaderMap::new() }
}

fn ended(status: Status) -> CallEventKind {
    CallEventKind::Ended { status, trailers: HeaderMap::new() }
}

#[test]
fn a_call_has_its_events_from_start_to_end() {
    let mut log = CallLog::default();
    let start = Instant::now();
    let mut metadata = HeaderMap::new();
    metadata.insert("x-served-by", "one".parse().unwrap());
    log.apply(7, start, &started("/helloworld.Greeter/SayHello"));
    assert_eq!(log.get(7).unwrap().state, CallState::Waiting);
    log.apply(7, start, &CallEventKind::MessageSent { bytes: 7, flags: 0, content: Bytes::new() });
    log.apply(7, start, &CallEventKind::Headers { metadata });
    assert_eq!(log.get(7).unwrap().state, CallState::Open);
    log.apply(7, start, &CallEventKind::MessageReceived { bytes: 15, flags: 0, content: Bytes::new() });
    log.apply(7, start, &CallEventKind::MessageReceived { bytes: 5, flags: 0, content: Bytes::new() });
    let end = start + Duration::from_millis(12);
    log.apply(7, end, &ended(Status::deadline_exceeded("too late")));

    let record = log.get(7).unwrap();
    assert_eq!(record.service_and_method(), ("helloworld.Greeter", "SayHello"));
    assert_eq!(record.sent, Count { messages: 1, bytes: 7 });
    assert_eq!(record.received, Count { messages: 2, bytes: 20 });
    assert_eq!(record.response_metadata[0].key, "x-served-by");
    assert_eq!(record.duration(end + Duration::from_secs(9)), Duration::from_millis(12));
    let expected = CallState::Ended { code: Code::DeadlineExceeded, message: "too late".into() };
    assert_eq!(record.state, expected);
}

#[test]
fn events_of_unknown_calls_are_ignored() {
    let mut log = CallLog::default();
    log.apply(
        1,
        Instant::now(),
        &CallEventKind::MessageReceived { bytes: 1, flags: 0, content: Bytes::new() },
    );
    log.apply(1, Instant::now(), &ended(Status::ok("")));
    assert_eq!(log.records().count(), 0);
}

#[test]
fn the_oldest_ended_call_is_dropped_and_a_running_stream_stays() {
    let mut log = CallLog::default();
    let now = Instant::now();
    log.apply(0, now, &started("/chat.v1.ChatService/Subscribe"));
    for id in 1..=1_000 {
        log.apply(id, now, &started("/helloworld.Greeter/SayHello"));
        log.apply(id, now, &ended(Status::ok("")));
    }
    assert_eq!(log.records().count(), MAX_CALLS);
    assert!(log.get(0).is_some(), "the running stream was dropped");
    assert!(log.get(1_000).is_some() && log.get(1).is_none());
}

#[test]
fn running_calls_are_bounded() {
    let mut log = CallLog::default();
    for id in 0..1_000 {
        log.apply(id, Instant::now(), &started("/a.B/C"));
    }
    assert_eq!(log.records().count(), MAX_CALLS);
    assert!(log.get(799).is_none() && log.get(800).is_some());
}

#[test]
fn clearing_keeps_running_calls() {
    let mut log = CallLog::default();
    log.apply(1, Instant::now(), &started("/a.B/C"));
    log.apply(2, Instant::now(), &started("/a.B/D"));
    log.apply(1, Instant::now(), &ended(Status::ok("")));
    log.clear_ended();
    assert_eq!(log.records().map(|record| record.id).collect::<Vec<_>>(), [2]);
}

#[test]
fn the_oldest_frames_of_all_calls_are_dropped_over_the_limit() {
    let mut log = CallLog::default();
    let now = Instant::now();
    let content = Bytes::from(vec![1; MAX_PAYLOAD_BYTES]);
    for id in 0..100 {
        log.apply(id, now, &started("/a.B/C"));
        for _ in 0..MAX_MESSAGES {
            let (bytes, content) = (content.len(), content.clone());
            log.apply(id, now, &CallEventKind::MessageReceived { bytes, flags: 0, content });
        }
    }
    let kept = |id: u64| log.frames(id).unwrap().payload_bytes();
    assert!((0..100).map(kept).sum::<usize>() <= MAX_LOG_BYTES);
    assert_eq!(log.payload_bytes, (0..100).map(kept).sum::<usize>());
    assert_eq!(kept(0), 0);
    assert_eq!(kept(99), MAX_MESSAGES * MAX_PAYLOAD_BYTES);
    assert_eq!(log.get(0).unwrap().received.messages, MAX_MESSAGES as u64);
}

#[test]
fn the_bytes_of_dropped_calls_are_not_counted() {
    let mut log = CallLog::default();
    let now = Instant::now();
    for id in 0..MAX_CALLS as u64 + 50 {
        log.apply(id, now, &started("/a.B/C"));
        let content = Bytes::from_static(b"abc");
        log.apply(id, now, &CallEventKind::MessageSent { bytes: 3, flags: 0, content });
        log.apply(id, now, &ended(Status::ok("")));
    }
    assert_eq!(log.payload_bytes, 3 * MAX_CALLS);
    log.clear_ended();
    assert_eq!(log.payload_bytes, 0);
}

#[test]
fn request_metadata_is_that_of_the_newest_attempt() {
    let mut log = CallLog::default();
    let now = Instant::now();
    log.apply(1, now, &started("/a.B/C"));
    for attempt in 1..=2 {
        let mut headers = HeaderMap::new();
        headers.insert("x-attempt", attempt.into());
        log.apply(1, now, &CallEventKind::AttemptStarted { attempt, headers });
    }
    let record = log.get(1).unwrap();
    assert_eq!(record.request_metadata.len(), 1);
    assert_eq!(record.request_metadata[0].value, Value::Text("2".into()));
}

#[test]
fn retries_and_warnings_are_notes() {
    let mut log = CallLog::default();
    let now = Instant::now();
    log.apply(1, now, &started("/a.B/C"));
    let delay = Duration::from_millis(5);
    log.apply(1, now, &CallEventKind::Retrying { attempt: 1, delay, status: Status::unavailable("") });
    log.apply(1, now, &CallEventKind::Warning { text: "six streams are open".to_owned() });
    assert_eq!(
        *log.notes(1).unwrap(),
        [
            Note::Retry { attempt: 1, delay, code: Code::Unavailable },
            Note::Warning("six streams are open".into())
        ]
    );
}
#[test]
fn notes_are_bounded() {
    let mut log = CallLog::default();
    log.apply(1, Instant::now(), &started("/a.B/C"));
    for _ in 0..1_000 {
        log.apply(1, Instant::now(), &CallEventKind::Warning { text: String::new() });
    }
    assert_eq!(log.notes(1).unwrap().len(), MAX_NOTES);
}
