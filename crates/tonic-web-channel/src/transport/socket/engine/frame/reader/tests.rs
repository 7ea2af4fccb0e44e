//! Frames in any pieces, and frames against the rules.

use proptest::prelude::*;

use super::*;
use crate::transport::socket::engine::frame::{self, put_data, put_go_away, put_headers, put_ping};

const MAX_FRAME: u32 = frame::DEFAULT_MAX_FRAME;

/// All frames of `pieces`, with pieces of DATA joined, and the violation that ends them.
fn read(pieces: &[&[u8]]) -> (Vec<Frame>, Option<Violation>) {
    let mut reader = FrameReader::new(MAX_FRAME);
    let mut frames: Vec<Frame> = Vec::new();
    let mut is_open = false;
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            match reader.next(&mut input) {
                Ok(Some(frame)) => {
                    let continues = matches!(reader.state, State::Data(_));
                    match (frames.last_mut(), frame) {
                        (
                            Some(Frame::Data { bytes, padding, is_last, .. }),
                            Frame::Data { bytes: more, padding: p, is_last: l, .. },
                        ) if is_open => {
                            *bytes = [&bytes[..], &more[..]].concat().into();
                            (*padding, *is_last) = (p, l);
                        }
                        (_, frame) => frames.push(frame),
                    }
                    is_open = continues;
                }
                Ok(None) => break,
                Err(violation) => return (frames, Some(violation)),
            }
        }
    }
    // DATA whose rest never came may have come in part.
    if is_open {
        frames.pop();
    }
    (frames, None)
}

fn raw(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::put_head(&mut out, payload.len(), kind, flags, stream);
    out.extend_from_slice(payload);
    out
}

#[test]
fn frames_are_read_as_they_were_written() {
    let mut bytes = Vec::new();
    put_data(&mut bytes, 3, b"abc", true);
    put_headers(&mut bytes, 5, b"block", 3);
    put_ping(&mut bytes, *b"12345678", false);
    put_go_away(&mut bytes, ErrorCode::CANCEL, "why");
    let (frames, violation) = read(&[&bytes]);
    assert_eq!(violation, None);
    let expected = [
        Frame::Data { stream: 3, bytes: "abc".into(), padding: 0, is_last: true },
        Frame::Headers { stream: 5, block: "blo".into(), is_last: false, is_whole: false },
        Frame::Continuation { stream: 5, block: "ck".into(), is_whole: true },
        Frame::Ping(*b"12345678"),
        Frame::GoAway { last: 0, code: ErrorCode::CANCEL, debug: "why".into() },
    ];
    assert_eq!(frames, expected);
}

#[test]
fn padding_counts_and_carries_nothing() {
    let bytes = [
        raw(kind::DATA, flag::PADDED | flag::END_STREAM, 1, b"\x02abc\0\0"),
        raw(kind::HEADERS, flag::PADDED | flag::PRIORITY | flag::END_HEADERS, 1, b"\x01\0\0\0\0\x05abc\0"),
    ]
    .concat();
    let expected = [
        Frame::Data { stream: 1, bytes: "abc".into(), padding: 3, is_last: true },
        Frame::Headers { stream: 1, block: "abc".into(), is_last: false, is_whole: true },
    ];
    assert_eq!(read(&[&bytes]), (expected.to_vec(), None));
}

#[test]
fn frames_against_the_rules_are_violations() {
    let flow = ErrorCode::FLOW_CONTROL_ERROR;
    let (protocol, size) = (ErrorCode::PROTOCOL_ERROR, ErrorCode::FRAME_SIZE_ERROR);
    let cases: &[(u8, u8, u32, &[u8], ErrorCode)] = &[
        (kind::DATA, 0, 0, b"", protocol),
        (kind::DATA, flag::PADDED, 1, b"", size),
        (kind::DATA, flag::PADDED, 1, b"\x04abc", protocol),
        (kind::HEADERS, flag::PADDED, 1, b"\x03ab", protocol),
        (kind::HEADERS, flag::PADDED, 1, b"", size),
        (kind::HEADERS, flag::PRIORITY, 1, b"abcd", size),
        (kind::RST_STREAM, 0, 1, b"abc", size),
        (kind::RST_STREAM, 0, 0, b"abcd", protocol),
        (kind::SETTINGS, 0, 1, b"", protocol),
        (kind::SETTINGS, 0, 0, b"abcde", size),
        (kind::SETTINGS, flag::ACK, 0, b"abcdef", size),
        (kind::SETTINGS, 0, 0, b"\0\x02\0\0\0\x01", protocol),
        (kind::SETTINGS, 0, 0, b"\0\x04\x80\0\0\0", flow),
        (kind::SETTINGS, 0, 0, b"\0\x05\0\0\x3f\xff", protocol),
        (kind::SETTINGS, 0, 0, b"\0\x05\x01\0\0\0", protocol),
        (kind::PUSH_PROMISE, 0, 1, b"\0\0\0\x02", protocol),
        (kind::PING, 0, 0, b"1234567", size),
        (kind::GOAWAY, 0, 0, b"1234567", size),
        (kind::WINDOW_UPDATE, 0, 0, b"123", size),
        (kind::CONTINUATION, 0, 0, b"", protocol),
    ];
    for &(kind, flags, stream, payload, code) in cases {
        let (frames, violation) = read(&[&raw(kind, flags, stream, payload)]);
        let found = violation.map(|violation| violation.code);
        assert_eq!((frames, found), (vec![], Some(code)), "kind {kind}, payload {payload:?}");
    }
    let too_long = raw(kind::DATA, 0, 1, &vec![0; MAX_FRAME as usize + 1]);
    assert_eq!(read(&[&too_long[..HEAD]]).1.unwrap().code, size);
}

proptest! {
    #[test]
    fn any_bytes_are_read_the_same_however_they_are_cut(
        heads in proptest::collection::vec((0u8..12, any::<u8>(), 0u32..4, 0usize..40), 0..12),
        noise in proptest::collection::vec(any::<u8>(), 0..600),
        cuts in proptest::collection::vec(0usize..600, 0..12),
    ) {
        let mut bytes = Vec::new();
        for (index, (kind, flags, stream, length)) in heads.into_iter().enumerate() {
            let payload = noise.iter().copied().cycle().skip(index * 40).take(length.min(noise.len()));
            bytes.extend(raw(kind, flags, stream, &payload.collect::<Vec<_>>()));
        }
        bytes.extend_from_slice(&noise);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        prop_assert_eq!(read(&pieces), read(&[&bytes]));
    }
}
