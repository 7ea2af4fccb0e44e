//! Bodies in every format, however their bytes are cut.

use bytes::Bytes;

use super::*;
use crate::web::text;

const MESSAGES: &[u8] = b"\0\0\0\0\x05hello\x01\0\0\0\0\0\0\0\0\x02hi";
const END: &[u8] = b"\x80\0\0\0\x10grpc-status: 0\r\n";
const BLOCK: &[u8] = b"grpc-status: 0\r\n";

const RULES: Rules = Rules { max_message: 10, max_trailers: 100, ..Rules::UNLIMITED };

fn web(rules: Rules) -> Reader {
    Reader::new(WireFormat::GrpcWeb, rules)
}

fn native(rules: Rules) -> Reader {
    Reader::new(WireFormat::Grpc, rules)
}

/// The pieces that `chunk` completes, and the error that follows them.
fn read(reader: &mut Reader, chunk: &[u8]) -> (Vec<Piece>, Option<ReadError>) {
    reader.feed(Bytes::copy_from_slice(chunk));
    let mut pieces = Vec::new();
    loop {
        match reader.next(&mut |_| {}) {
            Ok(Some(piece)) => pieces.push(piece),
            Ok(None) => return (pieces, None),
            Err(error) => return (pieces, Some(error)),
        }
    }
}

fn error(reader: &mut Reader, chunk: &[u8]) -> Option<ReadError> {
    read(reader, chunk).1
}

fn messages(bytes: &[u8]) -> Piece {
    Piece::Messages(Bytes::copy_from_slice(bytes))
}

#[test]
fn a_chunk_of_messages_is_not_copied() {
    for mut reader in [web(RULES), native(RULES)] {
        let chunk = Bytes::from_static(MESSAGES);

        reader.feed(chunk.clone());
        let Ok(Some(Piece::Messages(passed))) = reader.next(&mut |_| {}) else { panic!("no messages") };

        assert_eq!(passed, chunk);
        assert_eq!(passed.as_ptr(), chunk.as_ptr(), "it was copied");
        assert_eq!(reader.next(&mut |_| {}), Ok(None));
    }
}

#[test]
fn a_held_frame_in_one_chunk_is_not_copied() {
    let mut reader = web(Rules { split_compressed: true, ..RULES });
    let chunk = Bytes::from_static(b"\0\0\0\0\x01a\x01\0\0\0\x02bc\0\0\0\0\0");

    reader.feed(chunk.clone());
    assert_eq!(reader.next(&mut |_| {}), Ok(Some(messages(&chunk[..6]))));
    let Ok(Some(Piece::Compressed(held))) = reader.next(&mut |_| {}) else { panic!("no message") };

    assert_eq!(held, "bc");
    assert_eq!(held.as_ptr(), chunk[11..].as_ptr(), "it was copied");
    assert_eq!(reader.next(&mut |_| {}), Ok(Some(messages(b"\0\0\0\0\0"))));
    assert_eq!(reader.messages(), 3);
}

#[test]
fn messages_and_trailers_are_found_wherever_the_body_is_cut_twice() {
    let body = [MESSAGES, END].concat();
    for first in 0..=body.len() {
        for second in first..=body.len() {
            let mut reader = web(RULES);
            let mut passed = Vec::new();
            let mut blocks = Vec::new();
            for chunk in [&body[..first], &body[first..second], &body[second..]] {
                let (pieces, error) = read(&mut reader, chunk);
                assert_eq!(error, None);
                for piece in pieces {
                    match piece {
                        Piece::Messages(bytes) => passed.extend(bytes),
                        Piece::Trailers { flags, block } => blocks.push((flags, block)),
                        Piece::Compressed(_) => panic!("compressed messages pass"),
                    }
                }
            }
            assert_eq!(passed, MESSAGES, "cut at {first} and {second}");
            assert_eq!(blocks, [(0x80, Bytes::from_static(BLOCK))], "cut at {first} and {second}");
            assert_eq!(reader.end(), BodyEnd::Complete);
            assert_eq!(reader.messages(), 3);
        }
    }
}

#[test]
fn compressed_messages_are_split_wherever_the_body_is_cut_twice() {
    let body = b"\0\0\0\0\x01a\x01\0\0\0\x03bcd\x01\0\0\0\0\0\0\0\0\x02ef";
    for first in 0..=body.len() {
        for second in first..=body.len() {
            let mut reader = native(Rules { split_compressed: true, ..RULES });
            let mut plain = Vec::new();
            let mut compressed = Vec::new();
            for chunk in [&body[..first], &body[first..second], &body[second..]] {
                for piece in read(&mut reader, chunk).0 {
                    match piece {
                        Piece::Messages(bytes) => plain.extend(bytes),
                        Piece::Compressed(bytes) => compressed.push(bytes),
                        Piece::Trailers { .. } => panic!("there are no trailers"),
                    }
                }
            }
            assert_eq!(plain, b"\0\0\0\0\x01a\0\0\0\0\x02ef", "cut at {first} and {second}");
            assert_eq!(compressed, ["bcd", ""], "cut at {first} and {second}");
            assert_eq!(reader.end(), BodyEnd::AfterMessage);
        }
    }
}

#[test]
fn each_message_is_reported_with_its_start() {
    let bytes = b"\0\0\0\0\x03abc\x01\0\0\0\0\0\0\0\0\x07defghij\x80\0\0\0\x02xy";
    for split_compressed in [false, true] {
        for size in 1..=bytes.len() {
            let mut reader = web(Rules { capture: 4, split_compressed, ..RULES });
            let mut reported = Vec::new();
            for chunk in bytes.chunks(size) {
                reader.feed(Bytes::copy_from_slice(chunk));
                let mut report = |message: Message| reported.push(message);
                while reader.next(&mut report).unwrap().is_some() {}
            }
            let expected = [(0, 3, "abc"), (1, 0, ""), (0, 7, "defg")];
            let expected =
                expected.map(|(flags, length, start)| Message { flags, length, start: start.into() });
            assert_eq!(reported, expected, "in chunks of {size}");
        }
    }
}

#[test]
fn a_prefix_that_is_cut_passes_when_it_is_complete() {
    let mut reader = native(RULES);
    assert_eq!(read(&mut reader, b"\0\0\0\0"), (vec![], None));
    let expected = vec![messages(b"\0\0\0\0\x02"), messages(b"hi\0\0\0\0\0")];
    assert_eq!(read(&mut reader, b"\x02hi\0\0\0\0\0\0"), (expected, None));
    assert_eq!(reader.end(), BodyEnd::InsidePrefix);
}

#[test]
fn messages_before_a_fault_are_returned_first() {
    let mut reader = web(RULES);
    reader.feed([MESSAGES, b"\x42"].concat().into());

    assert_eq!(reader.next(&mut |_| {}), Ok(Some(messages(MESSAGES))));
    for _ in 0..2 {
        assert_eq!(reader.next(&mut |_| {}), Err(ReadError::ReservedFlags { flags: 0x42 }));
    }
}

#[test]
fn reserved_flags_are_refused_at_their_byte() {
    for flags in 0..=u8::MAX {
        let refused = Some(ReadError::ReservedFlags { flags });
        let (in_web, in_native) = match flags {
            0 | 1 => (None, None),
            0x80 | 0x81 => (None, refused),
            _ => (refused, refused),
        };
        assert_eq!(error(&mut web(RULES), &[flags]), in_web, "{flags:#04x}");
        assert_eq!(error(&mut native(RULES), &[flags]), in_native, "{flags:#04x}");
    }
}

#[test]
fn a_long_message_is_refused_by_its_prefix() {
    let too_large = Some(ReadError::MessageTooLarge { size: 11, limit: 10 });
    for split_compressed in [false, true] {
        let rules = Rules { split_compressed, ..RULES };
        assert_eq!(error(&mut native(rules), b"\x01\0\0\0\x0a"), None);
        assert_eq!(error(&mut native(rules), b"\x01\0\0\0\x0b"), too_large);
    }
    let passed = vec![messages(b"\0\0\0\0\x01a")];
    assert_eq!(read(&mut native(RULES), b"\0\0\0\0\x01a\0\0\0\0\x0b"), (passed, too_large));

    let mut cut = native(RULES);
    assert_eq!(read(&mut cut, b"\0\0\0"), (vec![], None));
    assert_eq!(read(&mut cut, b"\0\x0b"), (vec![], too_large));
}

#[test]
fn a_second_message_is_refused_where_one_is_the_limit() {
    let rules = Rules { single: true, ..RULES };
    let mut reader = web(rules);
    assert_eq!(read(&mut reader, b"\0\0\0\0\0"), (vec![messages(b"\0\0\0\0\0")], None));
    assert_eq!(error(&mut reader, b"\0\0\0\0\0"), Some(ReadError::SecondMessage));
    assert_eq!(reader.messages(), 1);

    assert_eq!(error(&mut web(rules), &[b"\0\0\0\0\0", END].concat()), None, "trailers are no message");
}

#[test]
fn a_compressed_message_needs_an_encoding() {
    let plain = Rules { compressed: false, ..RULES };
    assert_eq!(error(&mut native(plain), b"\x01\0\0\0\x01a"), Some(ReadError::NoEncoding));
    assert_eq!(error(&mut native(plain), b"\0\0\0\0\x01a"), None);
    assert_eq!(error(&mut web(plain), b"\x81\0\0\0\x01a"), None, "trailers are judged by their reader");
}

#[test]
fn trailers_over_the_limit_are_refused_by_their_prefix() {
    let rules = Rules { max_trailers: 99, ..RULES };
    assert_eq!(error(&mut web(rules), b"\x80\0\0\0\x64"), Some(ReadError::TrailersTooLarge { limit: 99 }));
    assert_eq!(error(&mut web(RULES), b"\x80\0\0\0\x64"), None);
}

#[test]
fn nothing_may_follow_the_trailers() {
    for more in [&b"\0"[..], b"\n", END] {
        let (pieces, error) = read(&mut web(RULES), &[END, more].concat());
        assert_eq!((pieces.len(), error), (1, Some(ReadError::AfterTrailers)), "{more:?}");
        let mut reader = web(RULES);
        assert_eq!(read(&mut reader, END).1, None);
        assert_eq!(read(&mut reader, more), (vec![], Some(ReadError::AfterTrailers)), "{more:?}");
    }
}

#[test]
fn trailers_may_be_empty() {
    let empty = Piece::Trailers { flags: 0x80, block: Bytes::new() };
    assert_eq!(read(&mut web(RULES), b"\x80\0\0\0\0"), (vec![empty], None));
}

#[test]
fn the_text_format_is_decoded() {
    let mut reader = Reader::new(WireFormat::GrpcWebText, RULES);
    let parts = [MESSAGES, END].map(text::encode).concat();

    let (pieces, error) = read(&mut reader, parts.as_bytes());

    let trailers = Piece::Trailers { flags: 0x80, block: Bytes::from_static(BLOCK) };
    assert_eq!((pieces, error), (vec![messages(MESSAGES), trailers], None));
    assert_eq!(reader.end(), BodyEnd::Complete);
}

#[test]
fn messages_before_invalid_base64_are_returned_first() {
    let mut reader = Reader::new(WireFormat::GrpcWebText, RULES);
    let text = [text::encode(MESSAGES), "@@@@".to_owned()].concat();
    let expected = (vec![messages(MESSAGES)], Some(ReadError::InvalidBase64));
    assert_eq!(read(&mut reader, text.as_bytes()), expected);

    let mut reader = Reader::new(WireFormat::GrpcWebText, RULES);
    let text = [text::encode(END), "@@@@".to_owned()].concat();
    let (pieces, error) = read(&mut reader, text.as_bytes());
    assert_eq!((pieces.len(), error), (1, Some(ReadError::InvalidBase64)));
}

#[test]
fn the_end_of_a_cut_body_is_named() {
    let ends = [
        (&b""[..], BodyEnd::Empty),
        (b"\0\0", BodyEnd::InsidePrefix),
        (b"\0\0\0\0\x02", BodyEnd::InsideMessage),
        (b"\0\0\0\0\x02h", BodyEnd::InsideMessage),
        (b"\0\0\0\0\x02hi", BodyEnd::AfterMessage),
        (b"\x80", BodyEnd::InsideTrailers),
        (b"\x80\0\0\0\x10", BodyEnd::InsideTrailers),
        (b"\x80\0\0\0\x10grpc", BodyEnd::InsideTrailers),
        (END, BodyEnd::Complete),
    ];
    for (body, end) in ends {
        let mut reader = web(RULES);
        assert_eq!(error(&mut reader, body), None);
        assert_eq!(reader.end(), end, "{body:?}");
    }
    let mut reader = Reader::new(WireFormat::GrpcWebText, RULES);
    assert_eq!(error(&mut reader, b"AAA"), None);
    assert_eq!(reader.end(), BodyEnd::InsideBase64);
}
