//! Tests of the decoder: by hand for what is wrong, by properties for everything else.

use proptest::{collection::vec, prelude::*};
use prost::Message as _;
use proto::{chat::v1 as pb, schema};

use super::*;

fn of(path: &str) -> &'static schema::Method {
    schema::method(path).unwrap()
}

fn send_message() -> &'static Message {
    of("/chat.v1.ChatService/SendMessage").request
}

fn frame() -> &'static Message {
    of("/chat.v1.ChatService/Subscribe").response
}

fn one_line(message: &'static Message, bytes: &[u8]) -> String {
    decode(message, bytes, Style::OneLine).json
}

fn sound(decoded: &Decoded) {
    assert_eq!((decoded.problem, decoded.has_unknown), (None, false), "{decoded:?}");
}

/// One field of every kind there is, which our own contracts do not have.
static EVERYTHING: Message = Message {
    name: "test.Everything",
    fields: &[
        field(1, "double", Shape::Single, Kind::Double),
        field(2, "float", Shape::Single, Kind::Float),
        field(3, "int32", Shape::Single, Kind::Int32),
        field(4, "sint32", Shape::Single, Kind::Sint32),
        field(5, "sint64", Shape::Repeated, Kind::Sint64),
        field(6, "fixed32", Shape::Repeated, Kind::Fixed32),
        field(7, "sfixed32", Shape::Single, Kind::Sfixed32),
        field(8, "sfixed64", Shape::Repeated, Kind::Sfixed64),
        field(9, "byNumber", Shape::Map, Kind::Message(&ENTRY)),
        field(10, "inner", Shape::Single, Kind::Message(&EVERYTHING)),
        field(11, "byFlag", Shape::Map, Kind::Message(&FLAG_ENTRY)),
    ],
};

static ENTRY: Message = Message {
    name: "test.Everything.ByNumberEntry",
    fields: &[
        field(1, "key", Shape::Single, Kind::Uint64),
        field(2, "value", Shape::Single, Kind::Message(&EVERYTHING)),
    ],
};

static FLAG_ENTRY: Message = Message {
    name: "test.Everything.ByFlagEntry",
    fields: &[field(1, "key", Shape::Single, Kind::Bool), field(2, "value", Shape::Single, Kind::String)],
};

const fn field(number: u32, json_name: &'static str, shape: Shape, kind: Kind) -> Field {
    Field { number, json_name, shape, kind }
}

#[test]
fn a_message_of_the_chat_is_written_as_protobuf_writes_it() {
    let response = pb::SubscribeResponse {
        frame: Some(pb::subscribe_response::Frame::Events(pb::Events {
            events: vec![pb::Event {
                room_id: "general".to_owned(),
                seq: 1 << 60,
                created_at_ms: -5,
                author: Some(pb::User { id: "u1".to_owned(), name: "王\"小明".to_owned() }),
                operation_id: vec![1, 2, 3, 4].into(),
                body: Some(pb::event::Body::MessagePosted(pb::MessagePosted { text: "a\nb".to_owned() })),
            }],
            fingerprint: 0,
        })),
    };
    let decoded = decode(frame(), &response.encode_to_vec(), Style::OneLine);
    sound(&decoded);
    assert_eq!(
        decoded.json,
        r#"{"events":{"events":[{"roomId":"general","seq":"1152921504606846976","createdAtMs":"-5","author":{"id":"u1","name":"王\"小明"},"operationId":"AQIDBA==","messagePosted":{"text":"a\nb"}}]}}"#
    );
    assert_eq!(
        decode(frame(), &[0x22, 0], Style::Lines).json,
        "{\n  \"caughtUp\": {}\n}",
        "a field that is there and has nothing in it"
    );
    assert_eq!(one_line(frame(), &[]), "{}");
}

#[test]
fn enum_values_have_their_names_and_unknown_ones_their_numbers() {
    let state = |recovery| {
        let state = pb::RoomState { recovery, ..Default::default() };
        let frame = pb::SubscribeResponse { frame: Some(pb::subscribe_response::Frame::RoomState(state)) };
        frame.encode_to_vec()
    };
    assert_eq!(one_line(frame(), &state(2)), r#"{"roomState":{"recovery":"RECOVERY_FULL"}}"#);
    assert_eq!(one_line(frame(), &state(-9)), r#"{"roomState":{"recovery":-9}}"#);
}

#[test]
fn numbers_of_every_kind_are_written_by_the_rules_of_their_kind() {
    let cases: [(&[u8], &str); 13] = [
        (&[0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f], r#"{"double":1.5}"#),
        (&[0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f], r#"{"double":"Infinity"}"#),
        (&[0x15, 0xcd, 0xcc, 0xcc, 0x3d], r#"{"float":0.1}"#),
        (&[0x15, 0, 0, 0xc0, 0x7f], r#"{"float":"NaN"}"#),
        (&[0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], r#"{"int32":-1}"#),
        (&[0x20, 3], r#"{"sint32":-2}"#),
        (&[0x2a, 2, 1, 2, 0x28, 4], r#"{"sint64":["-1","1","2"]}"#),
        (&[0x32, 4, 7, 0, 0, 0], r#"{"fixed32":[7]}"#),
        (&[0x3d, 0xff, 0xff, 0xff, 0xff], r#"{"sfixed32":-1}"#),
        (&[0x41, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], r#"{"sfixed64":["-2"]}"#),
        (&[0x4a, 6, 0x08, 7, 0x12, 2, 0x18, 1, 0x4a, 0], r#"{"byNumber":{"7":{"int32":1},"0":{}}}"#),
        (&[0x5a, 5, 0x08, 1, 0x12, 1, b'x'], r#"{"byFlag":{"true":"x"}}"#),
        (&[0x18, 1, 0x18, 2], r#"{"int32":2}"#),
    ];
    for (bytes, expected) in cases {
        let decoded = decode(&EVERYTHING, bytes, Style::OneLine);
        sound(&decoded);
        assert_eq!(decoded.json, expected);
    }
}

#[test]
fn a_message_that_comes_in_two_parts_is_merged() {
    let bytes = [0x52, 2, 0x18, 1, 0x52, 2, 0x20, 1];
    assert_eq!(one_line(&EVERYTHING, &bytes), r#"{"inner":{"int32":1,"sint32":-1}}"#);
}

#[test]
fn fields_that_the_contract_does_not_have_are_shown_by_number() {
    // Field 9 as text, 10 as a number, 11 of 32 bits, and field 1 with the wrong type.
    let bytes = [0x4a, 2, b'h', b'i', 0x50, 5, 0x5d, 1, 0, 0, 0, 0x08, 1];
    let decoded = decode(send_message(), &bytes, Style::Lines);
    assert_eq!((decoded.problem, decoded.has_unknown), (None, true));
    assert_eq!(decoded.json, "{\n  \"9\": \"aGk=\",\n  \"10\": \"5\",\n  \"11\": 1,\n  \"1\": \"1\"\n}");
    // A program that knows the contract would refuse them.
    assert_eq!(one_line(send_message(), &bytes), "{}");
}

#[test]
fn what_is_cut_off_is_shown_as_far_as_it_goes_and_said() {
    let request = pb::SendMessageRequest {
        room_id: "general".to_owned(),
        operation_id: vec![],
        text: "Hello, 世界".to_owned(),
    };
    let bytes = request.encode_to_vec();
    let cut = decode(send_message(), &bytes[..bytes.len() - 1], Style::OneLine);
    assert_eq!(cut.problem, Some(Problem { at: 9, kind: ProblemKind::Ends }));
    assert_eq!(cut.json, "{\"roomId\":\"general\",\"text\":\"Hello, 世\u{fffd}\"}");
    let cut = decode(send_message(), &bytes[..10], Style::OneLine);
    assert_eq!(cut.problem, Some(Problem { at: 9, kind: ProblemKind::Ends }));
    assert_eq!(cut.json, r#"{"roomId":"general"}"#);
}

#[test]
fn bytes_that_are_no_message_are_named_with_their_place() {
    let cases: [(&[u8], usize, ProblemKind); 6] = [
        (&[0x0a, 1, b'x', 0x00], 3, ProblemKind::NoField),
        (&[0x0b], 0, ProblemKind::NoField),
        (&[0x0e, 1], 0, ProblemKind::NoField),
        (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], 0, ProblemKind::NoField),
        (&[0x0a, 3, b'a', 0xff, b'b'], 3, ProblemKind::NoText),
        (&[0x0d, 0, 0], 0, ProblemKind::Ends),
    ];
    for (bytes, at, kind) in cases {
        assert_eq!(
            decode(send_message(), bytes, Style::OneLine).problem,
            Some(Problem { at, kind }),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn nesting_without_an_end_is_not_followed() {
    let mut bytes = Vec::new();
    for _ in 0..60 {
        let length = u8::try_from(bytes.len()).unwrap();
        bytes.splice(0..0, [0x52, length]);
    }
    let decoded = decode(&EVERYTHING, &bytes, Style::OneLine);
    assert_eq!(decoded.problem.map(|problem| problem.kind), Some(ProblemKind::TooDeep));
    assert_eq!(decoded.json.matches("inner").count(), DEEPEST + 1);
}

/// Bytes that begin like messages do more often than chance would have it.
fn almost_a_message() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![0_u8..0x60, any::<u8>()];
    vec(byte, 0..200)
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_there_is_json_and_no_panic(bytes in almost_a_message(), which in 0..4_usize) {
        let message = [send_message(), frame(), &EVERYTHING, &ENTRY][which];
        for style in [Style::Lines, Style::OneLine] {
            let decoded = decode(message, &bytes, style);
            let json: Result<serde_json::Value, _> = serde_json::from_str(&decoded.json);
            prop_assert!(json.is_ok_and(|json| json.is_object()), "{}", decoded.json);
            prop_assert!(decoded.problem.is_none_or(|problem| problem.at <= bytes.len()));
        }
    }
}

/// The same as a library that reads the descriptors, for every message of the contracts.
#[cfg(not(target_arch = "wasm32"))]
mod against_reflection {
    use prost_reflect::{DescriptorPool, DynamicMessage};

    use super::*;

    /// A valid encoding of a message, with fields left out and lists of any length.
    fn encoded(message: &'static Message, depth: usize) -> BoxedStrategy<Vec<u8>> {
        let fields: Vec<BoxedStrategy<Vec<u8>>> = message
            .fields
            .iter()
            .map(|field| {
                let most = match field.shape {
                    _ if depth == 0 && matches!(field.kind, Kind::Message(_)) => 0,
                    Shape::Single => 1,
                    Shape::Repeated | Shape::Map => 3,
                };
                vec(one(field, depth), 0..=most).prop_map(|values| values.concat()).boxed()
            })
            .collect();
        fields.prop_map(|fields| fields.concat()).boxed()
    }

    fn one(field: &'static Field, depth: usize) -> BoxedStrategy<Vec<u8>> {
        let tag = |wire_type: u8| vec_of_varint(u64::from(field.number << 3 | u32::from(wire_type)));
        let with_length =
            move |content: Vec<u8>| [tag(2), vec_of_varint(content.len() as u64), content].concat();
        match (wire_type(field.kind), field.kind) {
            (_, Kind::String) => ".{0,12}".prop_map(move |text| with_length(text.into_bytes())).boxed(),
            (_, Kind::Message(inner)) if depth > 0 => encoded(inner, depth - 1).prop_map(with_length).boxed(),
            (2, _) => vec(any::<u8>(), 0..12).prop_map(with_length).boxed(),
            (0, _) => prop_oneof![0..9_u64, any::<u64>()]
                .prop_map(move |value| [tag(0), vec_of_varint(value)].concat())
                .boxed(),
            (1, _) => any::<[u8; 8]>().prop_map(move |value| [tag(1), value.to_vec()].concat()).boxed(),
            _ => any::<[u8; 4]>().prop_map(move |value| [tag(5), value.to_vec()].concat()).boxed(),
        }
    }

    fn vec_of_varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    fn any_message() -> impl Strategy<Value = (&'static Message, Vec<u8>)> {
        let messages: Vec<&'static Message> =
            schema::METHODS.iter().flat_map(|method| [method.request, method.response]).collect();
        proptest::sample::select(messages)
            .prop_flat_map(|message| encoded(message, 3).prop_map(move |bytes| (message, bytes)))
    }

    proptest! {
        #[test]
        fn every_message_has_the_same_json((message, bytes) in any_message()) {
            let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
            let descriptor = pool.get_message_by_name(message.name).unwrap();
            let reference = DynamicMessage::decode(descriptor, bytes.as_slice()).unwrap();
            // As an encoder writes it: no defaults, one member of a `oneof`.
            let bytes = reference.encode_to_vec();

            let decoded = decode(message, &bytes, Style::OneLine);

            prop_assert_eq!(decoded.problem, None);
            prop_assert!(!decoded.has_unknown);
            let ours: serde_json::Value = serde_json::from_str(&decoded.json).unwrap();
            prop_assert_eq!(ours, serde_json::to_value(&reference).unwrap());
        }
    }
}
