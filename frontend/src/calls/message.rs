//! A message of a call as a text: its content where its type is known, and otherwise the reason.

use grpc_inspect::{
    frame::{Direction, Frame, FrameBuffer},
    hex::offset_text,
    json::{Decoded, JsonOptions, NumberFormat, Problem, ProblemKind},
};
use grpc_wire::{message::PREFIX_LEN, method::MethodKind};

use super::types::Types;
use crate::{
    i18n::{Messages, fill},
    js_std,
};

/// The formatting of JavaScript, so that Rust's tables stay out of the page.
const NUMBERS: NumberFormat = NumberFormat { double: js_std::double, float: js_std::float };

/// Indented JSON with unknown fields, for people.
pub(crate) const PRETTY: JsonOptions = JsonOptions { indent: true, unknown_fields: true, numbers: NUMBERS };

/// One line of JSON without unknown fields, for previews and for `grpcurl`.
pub(crate) const COMPACT: JsonOptions =
    JsonOptions { indent: false, unknown_fields: false, numbers: NUMBERS };

/// The content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It was decoded.
    Decoded(Decoded),
    /// It is compressed.
    Compressed,
    /// Its bytes were not captured.
    NotCaptured,
    /// No descriptors have the method.
    UnknownMethod,
}

/// Decodes a message of a method.
pub(super) fn content(types: &Types, direction: Direction, frame: &Frame, options: &JsonOptions) -> Content {
    if matches!(types, Types::Unknown) {
        return Content::UnknownMethod;
    }
    if frame.payload.is_empty() && !frame.is_complete() {
        return Content::NotCaptured;
    }
    if frame.is_compressed() {
        return Content::Compressed;
    }
    types.decode(direction, &frame.payload, options).map_or(Content::UnknownMethod, Content::Decoded)
}

/// Remarks on a message in addition to its content.
pub(super) fn remarks(m: &Messages, frame: &Frame, content: &Content) -> Vec<String> {
    let Content::Decoded(decoded) = content else {
        let remark = match content {
            Content::Compressed => m.calls_compressed_text,
            Content::NotCaptured => m.calls_not_captured,
            _ => m.calls_unknown_method,
        };
        return vec![remark.to_owned()];
    };
    let mut remarks = Vec::new();
    match decoded.problem {
        // Every message that was captured in part is truncated.
        Some(Problem { kind: ProblemKind::Truncated, .. }) if !frame.is_complete() => {
            remarks.push(m.calls_partly_captured.to_owned());
        }
        Some(problem) => remarks.push(problem_text(m, problem)),
        None => {}
    }
    if decoded.has_unknown_fields {
        remarks.push(m.calls_unknown_fields.to_owned());
    }
    remarks
}

/// A problem with its offset in the frame, as the hex dump shows it.
pub(crate) fn problem_text(m: &Messages, problem: Problem) -> String {
    let template = match problem.kind {
        ProblemKind::Truncated => m.calls_problem_truncated,
        ProblemKind::InvalidField => m.calls_problem_invalid_field,
        ProblemKind::InvalidUtf8 => m.calls_problem_invalid_utf8,
        ProblemKind::TooDeep => m.calls_problem_too_deep,
    };
    fill(template, &[("offset", &offset_text(PREFIX_LEN + problem.offset))])
}

/// The request messages of a call, as `grpcurl` takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requests {
    /// JSON objects, separated by spaces.
    pub(super) json: String,
    /// Whether these are all messages in full.
    pub(super) is_complete: bool,
}

/// Decodes the requests of a call of a method, `sent` messages in all.
pub(super) fn requests(types: &Types, frames: &FrameBuffer, sent: u64) -> Requests {
    let is_stream = types.kind().is_some_and(MethodKind::client_streaming);
    let captured = frames.messages(Direction::Sent);
    // A retried call has sent its one message again.
    let skipped = if is_stream { 0 } else { captured.len().saturating_sub(1) };
    let mut requests = Requests { json: String::new(), is_complete: true };
    for frame in captured.iter().skip(skipped) {
        match content(types, Direction::Sent, frame, &COMPACT) {
            Content::Decoded(decoded) => {
                requests.is_complete &= decoded.problem.is_none() && !decoded.has_unknown_fields;
                if !requests.json.is_empty() {
                    requests.json.push(' ');
                }
                requests.json.push_str(&decoded.json);
            }
            _ => requests.is_complete = false,
        }
    }
    requests.is_complete &= !is_stream || captured.len() as u64 == sent;
    requests.is_complete &= sent == 0 || !captured.is_empty();
    if requests.json.is_empty() {
        requests.json.push_str("{}");
    }
    requests
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::i18n::Language;

    const UNARY: &str = "/helloworld.Greeter/SayHello";
    const CLIENT_STREAM: &str = "/helloworld.Greeter/SayHelloClientStream";

    fn frame(flags: u8, length: usize, payload: &'static [u8]) -> Frame {
        Frame { number: 1, elapsed: Duration::ZERO, flags, length, payload: payload.into() }
    }

    fn sent(frames: &[Frame]) -> FrameBuffer {
        let mut all = FrameBuffer::default();
        for frame in frames {
            all.push(Direction::Sent, frame.clone());
        }
        all
    }

    #[test]
    fn a_message_is_decoded_by_method_and_direction() {
        let types = Types::of_contract(UNARY);
        let json = |direction| match content(&types, direction, &frame(0, 3, b"\n\x01x"), &COMPACT) {
            Content::Decoded(decoded) => decoded.json,
            other => panic!("{other:?}"),
        };
        assert_eq!(json(Direction::Sent), r#"{"name":"x"}"#);
        assert_eq!(json(Direction::Received), r#"{"message":"x"}"#);
    }

    #[test]
    fn an_undecodable_message_has_its_reason() {
        let types = Types::of_contract(UNARY);
        let of = |types: &Types, frame| content(types, Direction::Sent, &frame, &PRETTY);
        assert_eq!(of(&Types::Unknown, frame(0, 0, b"")), Content::UnknownMethod);
        assert_eq!(of(&types, frame(0, 7, b"")), Content::NotCaptured);
        assert_eq!(of(&types, frame(1, 3, b"\x1f\x8b\x08")), Content::Compressed);
        assert!(matches!(of(&types, frame(0, 0, b"")), Content::Decoded(decoded) if decoded.json == "{}"));
    }

    #[test]
    fn a_problem_has_its_offset_in_the_hex_dump() {
        let m = Language::English.messages();
        let types = Types::of_contract(UNARY);
        let remarks = |frame| remarks(m, &frame, &content(&types, Direction::Sent, &frame, &PRETTY));
        assert!(remarks(frame(0, 3, b"\n\x01x")).is_empty());
        let [no_field] = remarks(frame(0, 4, b"\n\x01x\x00")).try_into().unwrap();
        assert!(no_field.contains("0008"), "{no_field}");
        assert_eq!(remarks(frame(0, 9, b"\n\x07x")), [m.calls_partly_captured]);
        assert_eq!(remarks(frame(0, 2, b"\x10\x01")), [m.calls_unknown_fields]);
    }

    #[test]
    fn a_retried_call_has_one_request_and_a_stream_has_all() {
        let frames = sent(&[frame(0, 3, b"\n\x01x"), frame(0, 3, b"\n\x01x")]);
        let once = Requests { json: r#"{"name":"x"}"#.to_owned(), is_complete: true };
        assert_eq!(requests(&Types::of_contract(UNARY), &frames, 2), once);
        let both = r#"{"name":"x"} {"name":"x"}"#.to_owned();
        assert_eq!(
            requests(&Types::of_contract(CLIENT_STREAM), &frames, 2),
            Requests { json: both.clone(), is_complete: true }
        );
        assert_eq!(
            requests(&Types::of_contract(CLIENT_STREAM), &frames, 3),
            Requests { json: both, is_complete: false }
        );
    }

    #[test]
    fn partly_captured_requests_are_incomplete() {
        let nothing = Requests { json: "{}".to_owned(), is_complete: false };
        assert_eq!(requests(&Types::of_contract(UNARY), &FrameBuffer::default(), 1), nothing);
        assert_eq!(requests(&Types::of_contract(UNARY), &sent(&[frame(0, 7, b"")]), 1), nothing);
        assert_eq!(requests(&Types::Unknown, &sent(&[frame(0, 0, b"")]), 1), nothing);
        assert!(!requests(&Types::of_contract(UNARY), &sent(&[frame(0, 9, b"\n\x07x")]), 1).is_complete);
        assert!(requests(&Types::of_contract(UNARY), &FrameBuffer::default(), 0).is_complete);
    }
}
