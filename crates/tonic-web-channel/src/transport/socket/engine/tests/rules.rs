//! Frames that no good server sends, and those that come late.

use bytes::Bytes;
use http::Request;

use super::super::{Failure, Limits, MAX_CONTINUATIONS, MAX_QUIET_FRAMES, PING};
use super::peer::{Call, Client, now};
use crate::transport::http2::ErrorCode;

const WINDOW: u32 = 1_000;

const LIMITS: Limits = Limits { stream_window: WINDOW, connection_window: 1 << 20, max_headers: 500 };

/// The head of a response: status 200.
const HEAD: &[u8] = b"\x88";

/// A frame: its kind, flags, stream and payload.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn data(stream: u32, payload: &[u8], is_last: bool) -> Vec<u8> {
    frame(0, is_last.into(), stream, payload)
}

/// Whole headers.
fn headers(stream: u32, block: &[u8], is_last: bool) -> Vec<u8> {
    frame(1, 4 | u8::from(is_last), stream, block)
}

fn settings(name: u8, value: u32) -> Vec<u8> {
    frame(4, 0, 0, &[&[0, name], &value.to_be_bytes()[..]].concat())
}

fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(8, 0, stream, &increment.to_be_bytes())
}

fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(3, 0, stream, &code.to_be_bytes())
}

fn go_away(last: u32, code: u32) -> Vec<u8> {
    frame(7, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

/// A connection whose server has sent its settings.
fn connected() -> Client {
    let client = Client::new(LIMITS);
    client.receive(&frame(4, 0, 0, b""));
    client.written();
    client
}

impl Client {
    fn receive(&self, bytes: &[u8]) {
        self.engine().receive(Bytes::copy_from_slice(bytes));
    }

    /// The frames that are written, by kind, stream and payload.
    fn written(&self) -> Vec<(u8, u32, Vec<u8>)> {
        let mut bytes = Vec::new();
        self.engine().write(&mut bytes);
        let mut rest = bytes.strip_prefix(super::super::frame::PREFACE).unwrap_or(&bytes);
        let mut frames = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
            let stream = u32::from_be_bytes(rest[5..9].try_into().unwrap());
            frames.push((rest[3], stream, rest[9..9 + length].to_vec()));
            rest = &rest[9 + length..];
        }
        frames
    }

    fn begin(&self) -> Call {
        now(self.open(Request::post("http://test/").body(()).unwrap())).flatten().expect("there is a turn")
    }

    /// The code that the connection was ended with.
    fn ended_with(&self) -> Option<ErrorCode> {
        self.engine().end.as_ref()?;
        let (_, _, payload) = self.written().into_iter().find(|(kind, ..)| *kind == 7).unwrap();
        Some(ErrorCode(u32::from_be_bytes(payload[4..8].try_into().unwrap())))
    }
}

impl Call {
    fn failure(&self) -> Option<Failure> {
        now(self.head()).and_then(Result::err).or_else(|| now(self.data())?.err()?.err())
    }

    fn request(&self, size: usize) {
        self.client.engine().send(self.id, vec![7; size].into());
    }
}

#[test]
fn broken_rules_of_the_connection_end_it() {
    let cases: &[(&str, Vec<u8>, ErrorCode)] = &[
        ("a call that was not made", headers(3, HEAD, false), ErrorCode::PROTOCOL_ERROR),
        ("a stream of the server", data(2, b"", false), ErrorCode::PROTOCOL_ERROR),
        ("a reset of no call", reset(3, 0), ErrorCode::PROTOCOL_ERROR),
        ("a window of no call", window_update(3, 1), ErrorCode::PROTOCOL_ERROR),
        ("a window that opens by nothing", window_update(0, 0), ErrorCode::PROTOCOL_ERROR),
        ("a window that is too large", window_update(0, u32::MAX >> 1), ErrorCode::FLOW_CONTROL_ERROR),
        ("more than the window", data(1, &[0; WINDOW as usize + 1], false), ErrorCode::FLOW_CONTROL_ERROR),
        (
            "a window by settings",
            [window_update(1, 1), settings(4, u32::MAX >> 1)].concat(),
            ErrorCode::FLOW_CONTROL_ERROR,
        ),
        ("unreadable headers", headers(1, b"\xff", false), ErrorCode::COMPRESSION_ERROR),
        ("headers that nothing began", frame(9, 4, 1, HEAD), ErrorCode::PROTOCOL_ERROR),
        (
            "other headers within",
            [frame(1, 0, 1, HEAD), frame(9, 4, 3, HEAD)].concat(),
            ErrorCode::PROTOCOL_ERROR,
        ),
        (
            "a frame within headers",
            [frame(1, 0, 1, HEAD), frame(99, 0, 0, b"")].concat(),
            ErrorCode::PROTOCOL_ERROR,
        ),
        ("a pushed response", frame(5, 4, 1, b"\0\0\0\x02"), ErrorCode::PROTOCOL_ERROR),
    ];
    for (name, bytes, code) in cases {
        let client = connected();
        let call = client.begin();
        client.receive(bytes);
        assert_eq!(client.ended_with(), Some(*code), "{name}");
        assert_eq!(call.failure(), Some(Failure::Lost), "{name}");
        assert!(now(client.open(Request::new(()))).is_some_and(|call| call.is_none()), "{name}");
    }
    let client = Client::new(LIMITS);
    client.receive(&frame(6, 0, 0, b"12345678"));
    assert_eq!(client.ended_with(), Some(ErrorCode::PROTOCOL_ERROR));
}

#[test]
fn broken_rules_of_a_call_end_it_alone() {
    let large = [b"\x88\0\x01a\x7f\xd9\x03".as_slice(), &[b'a'; 600]].concat();
    let cases: &[(&str, Vec<u8>)] = &[
        ("a body before the head", data(1, b"a", false)),
        ("no status", headers(1, b"\0\x01a\x01b", false)),
        ("trailers that end nothing", [headers(1, HEAD, false), headers(1, b"", false)].concat()),
        ("a status in trailers", [headers(1, HEAD, false), headers(1, HEAD, true)].concat()),
        ("a body that is too short", headers(1, b"\x88\x0f\x0d\x011", true)),
        (
            "a body that is too long",
            [headers(1, b"\x88\x0f\x0d\x011", false), data(1, b"ab", false)].concat(),
        ),
        ("a length that is none", headers(1, b"\x88\x0f\x0d\x01x", false)),
        ("headers that are too large", headers(1, &large, false)),
        ("another protocol", headers(1, b"\x08\x03101", false)),
        ("an end by an informational head", headers(1, b"\x08\x03100", true)),
        ("a window that opens by nothing", window_update(1, 0)),
        ("a window that is too large", window_update(1, u32::MAX >> 1)),
    ];
    for (name, bytes) in cases {
        let client = connected();
        let (broken, other) = (client.begin(), client.begin());
        client.written();
        client.receive(bytes);
        assert!(matches!(broken.failure(), Some(Failure::Broken(_))), "{name}: {:?}", broken.failure());
        assert!(client.written().iter().any(|(kind, stream, _)| (*kind, *stream) == (3, 1)), "{name}");
        client.receive(&headers(other.id, HEAD, true));
        assert_eq!(now(other.head()).unwrap().unwrap().status(), 200, "{name}");
        drop((broken, other));
        assert!(client.engine().is_at_rest(), "{name}");
    }
}

#[test]
fn floods_end_the_connection() {
    let empty = || data(1, b"", false);
    let cases: [(&str, &dyn Fn() -> Vec<u8>); 7] = [
        ("pings", &|| frame(6, 0, 0, &[1; 8])),
        ("pongs", &|| frame(6, 1, 0, &PING)),
        ("settings", &|| settings(4, 65_535)),
        ("empty data", &empty),
        ("unknown frames", &|| frame(99, 0, 0, b"")),
        ("resets of a call that is over", &|| reset(3, 0)),
        ("windows", &|| window_update(0, 1)),
    ];
    for (name, flood) in cases {
        let client = connected();
        let _call = client.begin();
        drop(client.begin());
        client.receive(&headers(1, HEAD, false));
        client.written();
        // A call that was cancelled excuses some.
        let count = MAX_QUIET_FRAMES as usize + 20;
        for _ in 0..count / 2 {
            client.receive(&flood());
        }
        assert_eq!(client.ended_with(), None, "{name}");
        for _ in 0..count / 2 {
            client.receive(&flood());
        }
        assert_eq!(client.ended_with(), Some(ErrorCode::ENHANCE_YOUR_CALM), "{name}");
    }

    let client = connected();
    let _call = client.begin();
    client.receive(&frame(1, 0, 1, HEAD));
    for _ in 0..=MAX_CONTINUATIONS {
        client.receive(&frame(9, 0, 1, b""));
    }
    assert_eq!(client.ended_with(), Some(ErrorCode::ENHANCE_YOUR_CALM));
}

#[test]
fn pings_from_time_to_time_are_no_flood() {
    let client = connected();
    for _ in 0..MAX_QUIET_FRAMES * 2 {
        client.receive(&frame(6, 0, 0, b"12345678"));
        assert_eq!(client.written(), [(6, 0, b"12345678".to_vec())]);
        client.engine().tick();
    }
    assert_eq!(client.ended_with(), None);
}

#[test]
fn late_frames_of_cancelled_calls_are_ignored() {
    let client = connected();
    for _ in 0..MAX_QUIET_FRAMES {
        let call = client.begin();
        let id = call.id;
        drop(call);
        client.receive(&headers(id, HEAD, false));
        client.receive(&data(id, &[0; 200], false));
        client.receive(&headers(id, b"\0\x01a\x01b", true));
        client.receive(&reset(id, 0));
    }
    assert_eq!(client.ended_with(), None);
    assert!(client.engine().is_at_rest());
    // With these 205 KB came, which is more than an eighth of the window and less than two.
    for _ in 0..5 {
        let call = client.begin();
        client.receive(&data(call.id, &[0; WINDOW as usize], false));
    }
    drop(client.begin());
    let updates = client.written().into_iter().filter(|(kind, ..)| *kind == 8).count();
    assert_eq!(updates, 1);
}

#[test]
fn server_that_stops_fails_the_calls_that_it_has_not_begun() {
    let client = connected();
    let (first, second) = (client.begin(), client.begin());
    client.receive(&go_away(first.id, 0));
    assert_eq!(second.failure(), Some(Failure::NotProcessed));
    assert!(!client.engine().takes_calls());
    assert_eq!(client.engine().done(), None);

    client.receive(&headers(first.id, HEAD, true));
    client.engine().finish(first.id);
    client.written();
    assert_eq!(now(first.head()).unwrap().unwrap().status(), 200);
    assert_eq!(client.engine().done().unwrap(), "the server takes no more calls, NO_ERROR");
}

#[test]
fn reset_tells_its_code_after_the_data_before_it() {
    let client = connected();
    let call = client.begin();
    client.receive(&[headers(1, HEAD, false), data(1, b"abc", false), reset(1, 11)].concat());
    now(call.head()).unwrap().unwrap();
    assert_eq!(now(call.data()).unwrap().unwrap(), "abc");
    assert_eq!(now(call.data()).unwrap(), Err(Err(Failure::Reset(ErrorCode::ENHANCE_YOUR_CALM))));
}

#[test]
fn reset_without_an_error_stops_the_request_of_a_call_that_was_answered() {
    let client = connected();
    let call = client.begin();
    client.receive(&[headers(1, HEAD, true), reset(1, 0)].concat());
    assert_eq!(now(std::future::poll_fn(|cx| client.engine().poll_room(1, cx))), Some(false));
    now(call.head()).unwrap().unwrap();
    assert_eq!(now(call.data()).unwrap(), Err(Ok(None)));
    client.written();
    drop(call);
    assert_eq!(client.written(), []);
}

#[test]
fn informational_heads_are_passed_over() {
    let client = connected();
    let call = client.begin();
    client.receive(&headers(1, b"\x08\x03103", false));
    assert!(now(call.head()).is_none());
    client.receive(&headers(1, HEAD, false));
    assert_eq!(now(call.head()).unwrap().unwrap().status(), 200);
}

#[test]
fn window_that_became_negative_holds_the_request_until_it_has_opened() {
    let client = connected();
    let call = client.begin();
    call.request(1_000);
    assert_eq!(client.written().last().unwrap().2.len(), 1_000);
    client.receive(&settings(4, 500));
    call.request(1_000);
    assert_eq!(client.written(), [(4, 0, vec![])]);
    client.receive(&window_update(1, 500));
    assert_eq!(client.written(), []);
    client.receive(&window_update(1, 3));
    assert_eq!(client.written(), [(0, 1, vec![7; 3])]);
    client.receive(&settings(4, 501));
    assert_eq!(client.written(), [(4, 0, vec![]), (0, 1, vec![7])]);
}

#[test]
fn request_waits_for_the_servers_settings() {
    let client = Client::new(LIMITS);
    let call = client.begin();
    call.request(10);
    let kinds = |client: &Client| client.written().iter().map(|(kind, ..)| *kind).collect::<Vec<_>>();
    let before = kinds(&client);
    assert!(before.contains(&1) && !before.contains(&0), "{before:?}");

    client.receive(&settings(4, 5));

    let sent: Vec<_> = client.written().into_iter().filter(|(kind, ..)| *kind == 0).collect();
    assert_eq!(sent.iter().map(|(.., payload)| payload.len()).sum::<usize>(), 5, "{sent:?}");
    drop(call);
}

#[test]
fn calls_share_the_window_of_the_connection_in_turns() {
    let client = connected();
    let calls = [client.begin(), client.begin(), client.begin()];
    for call in &calls[..2] {
        call.request(40_000);
    }
    client.engine().finish(calls[2].id);
    let sent: Vec<_> = client.written().into_iter().filter(|(kind, ..)| *kind == 0).collect();
    let sizes: Vec<_> = sent.iter().map(|(_, stream, bytes)| (*stream, bytes.len())).collect();
    // An end needs no window.
    assert_eq!(sizes, [(1, 16_384), (3, 16_384), (5, 0), (1, 16_384), (3, 16_383)]);
    let last = client.begin();
    client.written();
    client.engine().finish(last.id);
    assert_eq!(client.written(), [(0, last.id, vec![])]);
    client.receive(&window_update(0, 100_000));
    let sent: Vec<_> = client.written().into_iter().map(|(_, stream, bytes)| (stream, bytes.len())).collect();
    assert_eq!(sent, [(1, 7_232), (3, 7_233)]);
}

#[test]
fn last_number_of_a_call_ends_the_turns() {
    let client = connected();
    client.engine().streams.skip_to(u32::MAX >> 1);
    let call = client.begin();
    assert!(!client.engine().takes_calls());
    assert!(now(client.open(Request::new(()))).is_some_and(|call| call.is_none()));
    client.receive(&headers(call.id, HEAD, true));
    assert_eq!(now(call.head()).unwrap().unwrap().status(), 200);
}

#[test]
fn pong_is_the_answer_to_our_ping() {
    let client = connected();
    let pong = |client: &Client| now(std::future::poll_fn(|cx| client.engine().poll_pong(cx))).is_some();
    client.engine().ping();
    assert_eq!(client.written(), [(6, 0, PING.to_vec())]);
    client.receive(&frame(6, 1, 0, b"12345678"));
    assert!(!pong(&client));
    client.receive(&frame(6, 1, 0, &PING));
    assert!(pong(&client));
}

#[test]
fn small_pieces_are_read_as_one() {
    let client = connected();
    let call = client.begin();
    client.receive(&headers(1, HEAD, false));
    for _ in 0..10 {
        client.receive(&data(1, b"abc", false));
    }
    now(call.head()).unwrap().unwrap();
    assert_eq!(now(call.data()).unwrap().unwrap(), "abc".repeat(10));
    assert!(now(call.data()).is_none());
}

#[test]
fn call_is_not_begun_while_much_waits_to_be_sent() {
    let client = connected();
    let mut calls = Vec::new();
    let request = || Request::post("http://test/").header("x-a", "a".repeat(10_000)).body(()).unwrap();
    while let Some(call) = now(client.open(request())) {
        calls.push(call.unwrap());
    }
    assert_eq!(calls.len(), 7);
    client.written();
    assert!(now(client.open(request())).is_some());
}
