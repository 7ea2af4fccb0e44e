//! A call's messages as text: decoded where their shape is known, and otherwise why not. Knows no
//! document.

use proto::schema::Method;

use super::{
    decode::{Decoded, Problem, ProblemKind, Style, decode},
    frame::{Direction, Frame, Frames, PREFIX_LEN},
    hex::offset_text,
};
use crate::i18n::{Messages, fill};

/// What can be said of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// What it says.
    Decoded(Decoded),
    /// It is compressed, and is shown as it is on the wire.
    Compressed,
    /// Its bytes were not kept.
    NotKept,
    /// Nobody knows the shape of the method's messages.
    UnknownMethod,
}

/// Reads a message of a method.
pub(super) fn content(method: Option<&Method>, direction: Direction, frame: &Frame, style: Style) -> Content {
    let Some(method) = method else { return Content::UnknownMethod };
    if frame.content.is_empty() && !frame.is_whole() {
        return Content::NotKept;
    }
    if frame.is_compressed() {
        return Content::Compressed;
    }
    let message = match direction {
        Direction::Sent => method.request,
        Direction::Received => method.response,
    };
    Content::Decoded(decode(message, &frame.content, style))
}

/// A message for the browser's own tools: an object as the panel shows it, or its bytes in base64.
#[cfg(target_arch = "wasm32")]
pub(crate) fn for_devtools(message: tonic_web_devtools::extension::Message<'_>) -> wasm_bindgen::JsValue {
    let direction = match message.direction {
        tonic_web_devtools::extension::Direction::Request => Direction::Sent,
        tonic_web_devtools::extension::Direction::Response => Direction::Received,
    };
    let frame = Frame {
        number: 1,
        after: std::time::Duration::ZERO,
        flags: message.flags,
        length: message.length,
        content: message.content.clone(),
    };
    match content(proto::schema::method(message.path), direction, &frame, Style::Lines) {
        // What the decoder writes is always JSON.
        Content::Decoded(decoded) => js_sys::JSON::parse(&decoded.json).unwrap_or_default(),
        _ => tonic_web_devtools::extension::base64(message),
    }
}

/// What a person should know of a message beside what it says.
pub(super) fn remarks(m: &Messages, frame: &Frame, content: &Content) -> Vec<String> {
    let Content::Decoded(decoded) = content else {
        let why = match content {
            Content::Compressed => m.calls_compressed_text,
            Content::NotKept => m.calls_not_kept,
            _ => m.calls_unknown_method,
        };
        return vec![why.to_owned()];
    };
    let mut remarks = Vec::new();
    match decoded.problem {
        // A message that is kept in part ends somewhere, and the legend of its bytes says why.
        Some(Problem { kind: ProblemKind::Ends, .. }) if !frame.is_whole() => {
            remarks.push(m.calls_cut.to_owned());
        }
        Some(problem) => remarks.push(problem_text(m, problem)),
        None => {}
    }
    if decoded.has_unknown {
        remarks.push(m.calls_unknown_fields.to_owned());
    }
    remarks
}

/// What is wrong, with its place as the offsets beside the bytes name it.
fn problem_text(m: &Messages, problem: Problem) -> String {
    let template = match problem.kind {
        ProblemKind::Ends => m.calls_problem_ends,
        ProblemKind::NoField => m.calls_problem_no_field,
        ProblemKind::NoText => m.calls_problem_no_text,
        ProblemKind::TooDeep => m.calls_problem_too_deep,
    };
    fill(template, &[("offset", &offset_text(PREFIX_LEN + problem.at))])
}

/// The messages that a call sent, as `grpcurl` takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requests {
    /// One JSON object after the other.
    pub(super) json: String,
    /// Whether that is all that was sent.
    pub(super) is_whole: bool,
}

/// Reads what a call of a method sent, `sent` messages in all.
pub(super) fn requests(method: Option<&Method>, frames: &Frames, sent: u64) -> Requests {
    let is_stream = method.is_some_and(|method| method.client_streaming);
    // A call that was repeated has sent its one message again.
    let skipped = if is_stream { 0 } else { frames.sent.len().saturating_sub(1) };
    let mut requests = Requests { json: String::new(), is_whole: true };
    for frame in frames.sent.iter().skip(skipped) {
        match content(method, Direction::Sent, frame, Style::OneLine) {
            Content::Decoded(decoded) => {
                requests.is_whole &= decoded.problem.is_none() && !decoded.has_unknown;
                if !requests.json.is_empty() {
                    requests.json.push(' ');
                }
                requests.json.push_str(&decoded.json);
            }
            _ => requests.is_whole = false,
        }
    }
    requests.is_whole &= !is_stream || frames.sent.len() as u64 == sent;
    requests.is_whole &= sent == 0 || !frames.sent.is_empty();
    if requests.json.is_empty() {
        requests.json.push_str("{}");
    }
    requests
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proto::schema;

    use super::*;
    use crate::i18n::Language;

    const UNARY: &str = "/helloworld.Greeter/SayHello";
    const CLIENT_STREAM: &str = "/helloworld.Greeter/SayHelloClientStream";

    fn frame(flags: u8, length: usize, content: &'static [u8]) -> Frame {
        Frame { number: 1, after: Duration::ZERO, flags, length, content: content.into() }
    }

    fn sent(frames: &[Frame]) -> Frames {
        let mut all = Frames::default();
        for frame in frames {
            all.push(Direction::Sent, frame.clone());
        }
        all
    }

    #[test]
    fn a_message_is_read_by_its_method_and_direction() {
        let method = schema::method(UNARY);
        let json = |direction| match content(method, direction, &frame(0, 3, b"\n\x01x"), Style::OneLine) {
            Content::Decoded(decoded) => decoded.json,
            other => panic!("{other:?}"),
        };
        assert_eq!(json(Direction::Sent), r#"{"name":"x"}"#);
        assert_eq!(json(Direction::Received), r#"{"message":"x"}"#);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let method = schema::method(UNARY);
        let of = |method, frame| content(method, Direction::Sent, &frame, Style::Lines);
        assert_eq!(of(None, frame(0, 0, b"")), Content::UnknownMethod);
        assert_eq!(of(method, frame(0, 7, b"")), Content::NotKept);
        assert_eq!(of(method, frame(1, 3, b"\x1f\x8b\x08")), Content::Compressed);
        assert!(matches!(of(method, frame(0, 0, b"")), Content::Decoded(decoded) if decoded.json == "{}"));
    }

    #[test]
    fn a_problem_is_named_with_the_offset_that_stands_beside_the_bytes() {
        let m = Language::English.messages();
        let method = schema::method(UNARY);
        let remarks = |frame| remarks(m, &frame, &content(method, Direction::Sent, &frame, Style::Lines));
        assert!(remarks(frame(0, 3, b"\n\x01x")).is_empty());
        let [no_field] = remarks(frame(0, 4, b"\n\x01x\x00")).try_into().unwrap();
        assert!(no_field.contains("0008"), "{no_field}");
        assert_eq!(remarks(frame(0, 9, b"\n\x07x")), [m.calls_cut]);
        assert_eq!(remarks(frame(0, 2, b"\x10\x01")), [m.calls_unknown_fields]);
    }

    #[test]
    fn a_repeated_call_has_one_request_and_a_stream_all_of_them() {
        let frames = sent(&[frame(0, 3, b"\n\x01x"), frame(0, 3, b"\n\x01x")]);
        let once = Requests { json: r#"{"name":"x"}"#.to_owned(), is_whole: true };
        assert_eq!(requests(schema::method(UNARY), &frames, 2), once);
        let both = r#"{"name":"x"} {"name":"x"}"#.to_owned();
        assert_eq!(
            requests(schema::method(CLIENT_STREAM), &frames, 2),
            Requests { json: both.clone(), is_whole: true }
        );
        assert_eq!(
            requests(schema::method(CLIENT_STREAM), &frames, 3),
            Requests { json: both, is_whole: false }
        );
    }

    #[test]
    fn a_request_that_is_not_known_whole_is_said_to_be_so() {
        let nothing = Requests { json: "{}".to_owned(), is_whole: false };
        assert_eq!(requests(schema::method(UNARY), &Frames::default(), 1), nothing);
        assert_eq!(requests(schema::method(UNARY), &sent(&[frame(0, 7, b"")]), 1), nothing);
        assert_eq!(requests(None, &sent(&[frame(0, 0, b"")]), 1), nothing);
        assert!(!requests(schema::method(UNARY), &sent(&[frame(0, 9, b"\n\x07x")]), 1).is_whole);
        assert!(requests(schema::method(UNARY), &Frames::default(), 0).is_whole);
    }
}
