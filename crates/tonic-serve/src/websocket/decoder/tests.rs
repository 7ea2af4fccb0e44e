//! Frames in every order, cut at any byte.

#[path = "../../../fuzz/check.rs"]
mod check;

use proptest::prelude::*;

use super::*;
use crate::websocket::decoder;

/// A masked frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let length = match u16::try_from(payload.len()) {
        Ok(length @ 0..126) => vec![MASKED | u8::try_from(length).unwrap()],
        Ok(length) => [&[MASKED | LENGTH_16][..], &length.to_be_bytes()].concat(),
        Err(_) => [&[MASKED | LENGTH_64][..], &(payload.len() as u64).to_be_bytes()].concat(),
    };
    let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [vec![first], length, MASK.to_vec(), masked.collect()].concat()
}

/// Decodes `bytes` in parts of `cuts` bytes, the last of which repeats.
fn decode(bytes: &[u8], cuts: &[usize]) -> (Vec<u8>, Decoder) {
    let (mut decoder, mut payload, mut rest) = (Decoder::default(), Vec::new(), bytes);
    let last = cuts.last().copied().unwrap_or(usize::MAX);
    let mut cuts = cuts.iter().copied().chain(std::iter::repeat(last));
    while !rest.is_empty() {
        let (part, after) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
        let mut part = part.to_vec();
        let len = decoder.decode(&mut part);
        payload.extend_from_slice(&part[..len]);
        rest = after;
    }
    (payload, decoder)
}

/// The end after `bytes`, which is the same wherever they are cut.
fn end(bytes: &[u8]) -> Option<End> {
    let whole = decode(bytes, &[]).1.end();
    assert_eq!(decode(bytes, &[1]).1.end(), whole);
    whole
}

fn code(bytes: &[u8]) -> u16 {
    match end(bytes) {
        Some(End::Failed(violation)) => violation.code.0,
        end => panic!("no violation: {end:?}"),
    }
}

#[test]
fn payloads_of_all_lengths_are_unmasked() {
    for len in [0, 1, 3, 125, 126, 127, 0xffff, 0x1_0000] {
        let payload: Vec<u8> = (0..=255).cycle().take(len).collect();
        for cuts in [&[][..], &[1], &[5, 7, 1000]] {
            let (decoded, decoder) = decode(&frame(FINAL | BINARY, &payload), cuts);
            assert!(decoded == payload, "{len} {cuts:?}");
            assert_eq!(decoder.end(), None);
        }
    }
}

#[test]
fn a_violation_is_found_in_the_first_bytes_of_a_frame() {
    for first in [0xc2, 0xa2, 0x92, 0x83, 0x87, 0x8b, 0x80, 0x08, 0x09, 0x0a] {
        assert_eq!(code(&[first]), 1002, "{first:x}");
    }
    assert_eq!(code(&[FINAL | TEXT]), 1003);
    assert_eq!(code(&[FINAL | BINARY, 1]), 1002, "not masked");
    assert_eq!(code(&[FINAL | PING, MASKED | LENGTH_16]), 1002, "a long control frame");
}

#[test]
fn messages_do_not_begin_in_each_other() {
    let begun = frame(BINARY, b"a");
    assert_eq!(code(&[&begun[..], &[BINARY]].concat()), 1002);
    assert_eq!(end(&[&begun[..], &frame(FINAL, b"b"), &frame(BINARY, b"c")].concat()), None);
    assert_eq!(code(&[&begun[..], &frame(FINAL, b"b"), &[FINAL]].concat()), 1002);
}

#[test]
fn lengths_are_minimal_and_not_negative() {
    let mask = [0; 4];
    for length in [
        &[LENGTH_16, 0, 125][..],
        &[LENGTH_64, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
        &[LENGTH_64, 0x80, 0, 0, 0, 0, 1, 0, 0],
    ] {
        let header = [&[FINAL | BINARY, MASKED | length[0]], &length[1..], &mask].concat();
        assert_eq!(code(&header), 1002, "{length:?}");
    }
    let long = [FINAL | BINARY, MASKED | LENGTH_64, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(end(&long), None);
}

#[test]
fn a_close_frame_ends_everything() {
    let close = |payload: &[u8]| frame(FINAL | CLOSE, payload);
    assert_eq!(end(&close(b"")), Some(End::Closed(None)));
    assert_eq!(end(&close(b"\x03\xe9bye")), Some(End::Closed(Some(CloseCode::GOING_AWAY))));
    assert_eq!(end(&close(b"\x0b\xb8")), Some(End::Closed(Some(CloseCode(3000)))));
    assert_eq!(code(&close(b"\x03")), 1002);
    for reserved in [999_u16, 1004, 1005, 1006, 1015, 2999, 5000] {
        assert_eq!(code(&close(&reserved.to_be_bytes())), 1002, "{reserved}");
    }
    assert_eq!(code(&close(b"\x03\xe8\xff")), 1007);
    let (payload, _) = decode(&[close(b""), frame(FINAL | BINARY, b"late")].concat(), &[]);
    assert!(payload.is_empty());
}

#[test]
fn the_last_ping_is_kept_inside_a_message() {
    let frames = [
        frame(BINARY, b"one "),
        frame(FINAL | PING, b"1"),
        frame(FINAL | PING, b"2"),
        frame(FINAL | PONG, b"3"),
        frame(FINAL, b"two"),
    ];
    let (payload, mut decoder) = decode(&frames.concat(), &[3]);
    assert_eq!(payload, b"one two");
    assert_eq!(decoder.take_ping().unwrap().bytes(), b"2");
    assert!(decoder.take_ping().is_none());
}

/// The cases that the fuzzer starts from, and its findings.
#[test]
fn the_corpus_decodes_alike_wherever_it_is_cut() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/websocket");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        check::check(&std::fs::read(entry.unwrap().path()).unwrap());
        read += 1;
    }
    assert!(read >= 16, "{read} cases");
}

proptest! {
    #[test]
    fn fragments_cuts_and_control_frames_do_not_change_the_payload(
        payload in prop::collection::vec(any::<u8>(), 0..400),
        fragments in prop::collection::vec(0_usize..150, 1..6),
        pings in prop::collection::vec(prop::option::of(0_usize..126), 6),
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let (mut wire, mut rest) = (Vec::new(), &payload[..]);
        for (number, length) in fragments.iter().enumerate() {
            let (part, after) = rest.split_at((*length).min(rest.len()));
            wire.extend(frame(if number == 0 { BINARY } else { CONTINUATION }, part));
            if let Some(length) = pings[number] {
                wire.extend(frame(FINAL | PING, &vec![7; length]));
            }
            rest = after;
        }
        wire.extend(frame(FINAL, rest));
        let (decoded, mut decoder) = decode(&wire, &cuts);
        prop_assert_eq!(decoded, payload);
        prop_assert_eq!(decoder.end(), None);
        let last = pings[..fragments.len()].iter().flatten().last().copied();
        prop_assert_eq!(decoder.take_ping().map(|ping| ping.bytes().len()), last);
    }

    #[test]
    fn any_bytes_decode_alike_wherever_they_are_cut(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(1_u8..20, 0..20),
        is_masked in any::<bool>(),
    ) {
        // Most random bytes are violations at once.
        if is_masked && bytes.len() > 1 {
            (bytes[0], bytes[1]) = (BINARY | (bytes[0] & FINAL), bytes[1] | MASKED);
        }
        let lengths = u8::try_from(cuts.len()).unwrap();
        check::check(&[vec![lengths], cuts, bytes].concat());
    }
}
