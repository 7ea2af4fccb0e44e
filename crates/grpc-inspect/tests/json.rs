//! Tests of the decoder: examples of each problem, properties for all other bytes, and a comparison with `prost-reflect`.

#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

use grpc_inspect::descriptor::{FieldDescriptor, FieldKind, MessageDescriptor, Shape};
use grpc_inspect::json::{Decoded, JsonOptions, MAX_DEPTH, Problem, ProblemKind, to_json};
use proptest::{collection::vec, prelude::*};
use prost::Message as _;
use proto::{chat::v1 as pb, schema};

fn of(path: &str) -> &'static schema::MethodMessages {
    schema::method(path).unwrap()
}

fn send_message() -> &'static MessageDescriptor {
    of("/chat.v1.ChatService/SendMessage").request
}

fn subscribe_response() -> &'static MessageDescriptor {
    of("/chat.v1.ChatService/Subscribe").response
}

fn one_line(message: &'static MessageDescriptor, bytes: &[u8]) -> String {
    to_json(message, bytes, &JsonOptions::compact()).json
}

fn assert_valid(decoded: &Decoded) {
    assert_eq!((decoded.problem, decoded.has_unknown_fields), (None, false), "{decoded:?}");
}

/// Every kind of field, since the contracts lack some.
static EVERYTHING: MessageDescriptor = MessageDescriptor {
    name: "test.Everything",
    fields: &[
        field(1, "double", Shape::Single, FieldKind::Double),
        field(2, "float", Shape::Single, FieldKind::Float),
        field(3, "int32", Shape::Single, FieldKind::Int32),
        field(4, "sint32", Shape::Single, FieldKind::Sint32),
        field(5, "sint64", Shape::Repeated, FieldKind::Sint64),
        field(6, "fixed32", Shape::Repeated, FieldKind::Fixed32),
        field(7, "sfixed32", Shape::Single, FieldKind::Sfixed32),
        field(8, "sfixed64", Shape::Repeated, FieldKind::Sfixed64),
        field(9, "byNumber", Shape::Map, FieldKind::Message(&ENTRY)),
        field(10, "inner", Shape::Single, FieldKind::Message(&EVERYTHING)),
        field(11, "byFlag", Shape::Map, FieldKind::Message(&FLAG_ENTRY)),
    ],
};

static ENTRY: MessageDescriptor = MessageDescriptor {
    name: "test.Everything.ByNumberEntry",
    fields: &[
        field(1, "key", Shape::Single, FieldKind::Uint64),
        field(2, "value", Shape::Single, FieldKind::Message(&EVERYTHING)),
    ],
};

static FLAG_ENTRY: MessageDescriptor = MessageDescriptor {
    name: "test.Everything.ByFlagEntry",
    fields: &[
        field(1, "key", Shape::Single, FieldKind::Bool),
        field(2, "value", Shape::Single, FieldKind::String),
    ],
};

const fn field(number: u32, json_name: &'static str, shape: Shape, kind: FieldKind) -> FieldDescriptor {
    FieldDescriptor { number, json_name, shape, kind }
}

#[test]
fn a_nested_message_is_written_as_protobuf_writes_it() {
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
    let decoded = to_json(subscribe_response(), &response.encode_to_vec(), &JsonOptions::compact());
    assert_valid(&decoded);
    assert_eq!(
        decoded.json,
        r#"{"events":{"events":[{"roomId":"general","seq":"1152921504606846976","createdAtMs":"-5","author":{"id":"u1","name":"王\"小明"},"operationId":"AQIDBA==","messagePosted":{"text":"a\nb"}}]}}"#
    );
    assert_eq!(
        to_json(subscribe_response(), &[0x22, 0], &JsonOptions::pretty()).json,
        "{\n  \"caughtUp\": {}\n}",
        "a present but empty message"
    );
    assert_eq!(one_line(subscribe_response(), &[]), "{}");
}

#[test]
fn known_enum_values_are_names_and_unknown_ones_numbers() {
    let state = |recovery| {
        let state = pb::RoomState { recovery, ..Default::default() };
        let frame = pb::SubscribeResponse { frame: Some(pb::subscribe_response::Frame::RoomState(state)) };
        frame.encode_to_vec()
    };
    assert_eq!(one_line(subscribe_response(), &state(2)), r#"{"roomState":{"recovery":"RECOVERY_FULL"}}"#);
    assert_eq!(one_line(subscribe_response(), &state(-9)), r#"{"roomState":{"recovery":-9}}"#);
}

#[test]
fn numbers_follow_the_rules_of_their_kind() {
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
        let decoded = to_json(&EVERYTHING, bytes, &JsonOptions::compact());
        assert_valid(&decoded);
        assert_eq!(decoded.json, expected);
    }
}

#[test]
fn repeated_occurrences_of_a_single_message_are_merged() {
    let bytes = [0x52, 2, 0x18, 1, 0x52, 2, 0x20, 1];
    assert_eq!(one_line(&EVERYTHING, &bytes), r#"{"inner":{"int32":1,"sint32":-1}}"#);
}

#[test]
fn unknown_fields_are_shown_by_number() {
    // Field 9 as text, 10 as a number, 11 of 32 bits, and field 1 with the wrong type.
    let bytes = [0x4a, 2, b'h', b'i', 0x50, 5, 0x5d, 1, 0, 0, 0, 0x08, 1];
    let decoded = to_json(send_message(), &bytes, &JsonOptions::pretty());
    assert_eq!((decoded.problem, decoded.has_unknown_fields), (None, true));
    assert_eq!(decoded.json, "{\n  \"9\": \"aGk=\",\n  \"10\": \"5\",\n  \"11\": 1,\n  \"1\": \"1\"\n}");
    // A parser that knows the type would refuse them.
    assert_eq!(one_line(send_message(), &bytes), "{}");
}

#[test]
fn a_truncated_message_is_shown_up_to_its_end() {
    let request = pb::SendMessageRequest {
        room_id: "general".to_owned(),
        operation_id: vec![],
        text: "Hello, 世界".to_owned(),
    };
    let bytes = request.encode_to_vec();
    let cut = to_json(send_message(), &bytes[..bytes.len() - 1], &JsonOptions::compact());
    assert_eq!(cut.problem, Some(Problem { offset: 9, kind: ProblemKind::Truncated }));
    assert_eq!(cut.json, "{\"roomId\":\"general\",\"text\":\"Hello, 世\u{fffd}\"}");
    let cut = to_json(send_message(), &bytes[..10], &JsonOptions::compact());
    assert_eq!(cut.problem, Some(Problem { offset: 9, kind: ProblemKind::Truncated }));
    assert_eq!(cut.json, r#"{"roomId":"general"}"#);
}

#[test]
fn invalid_bytes_are_reported_with_their_offset() {
    let cases: [(&[u8], usize, ProblemKind); 6] = [
        (&[0x0a, 1, b'x', 0x00], 3, ProblemKind::InvalidField),
        (&[0x0b], 0, ProblemKind::InvalidField),
        (&[0x0e, 1], 0, ProblemKind::InvalidField),
        (
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            0,
            ProblemKind::InvalidField,
        ),
        (&[0x0a, 3, b'a', 0xff, b'b'], 3, ProblemKind::InvalidUtf8),
        (&[0x0d, 0, 0], 0, ProblemKind::Truncated),
    ];
    for (bytes, offset, kind) in cases {
        assert_eq!(
            to_json(send_message(), bytes, &JsonOptions::compact()).problem,
            Some(Problem { offset, kind }),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn nesting_is_followed_to_a_limit() {
    let mut bytes = Vec::new();
    for _ in 0..60 {
        let length = u8::try_from(bytes.len()).unwrap();
        bytes.splice(0..0, [0x52, length]);
    }
    let decoded = to_json(&EVERYTHING, &bytes, &JsonOptions::compact());
    assert_eq!(decoded.problem.map(|problem| problem.kind), Some(ProblemKind::TooDeep));
    assert_eq!(decoded.json.matches("inner").count(), MAX_DEPTH + 1);
}

/// Random bytes with many small values, which make valid tags.
fn message_like_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![0_u8..0x60, any::<u8>()];
    vec(byte, 0..200)
}

proptest! {
    #[test]
    fn any_bytes_give_a_json_object(bytes in message_like_bytes(), which in 0..4_usize) {
        let message = [send_message(), subscribe_response(), &EVERYTHING, &ENTRY][which];
        for options in [JsonOptions::pretty(), JsonOptions::compact()] {
            let decoded = to_json(message, &bytes, &options);
            let json: Result<serde_json::Value, _> = serde_json::from_str(&decoded.json);
            prop_assert!(json.is_ok_and(|json| json.is_object()), "{}", decoded.json);
            prop_assert!(decoded.problem.is_none_or(|problem| problem.offset <= bytes.len()));
        }
    }
}

/// Compares every message of the contracts with `prost-reflect`, which reads the descriptors.
#[cfg(not(target_arch = "wasm32"))]
mod against_prost_reflect {
    use prost_reflect::{DescriptorPool, DynamicMessage};

    use super::*;

    /// Valid encodings of a message, with absent fields and lists of any length.
    fn encoded(message: &'static MessageDescriptor, depth: usize) -> BoxedStrategy<Vec<u8>> {
        let fields: Vec<BoxedStrategy<Vec<u8>>> = message
            .fields
            .iter()
            .map(|field| {
                let most = match field.shape {
                    _ if depth == 0 && matches!(field.kind, FieldKind::Message(_)) => 0,
                    Shape::Single => 1,
                    Shape::Repeated | Shape::Map => 3,
                };
                vec(one(field, depth), 0..=most).prop_map(|values| values.concat()).boxed()
            })
            .collect();
        fields.prop_map(|fields| fields.concat()).boxed()
    }

    fn one(field: &'static FieldDescriptor, depth: usize) -> BoxedStrategy<Vec<u8>> {
        let tag = |wire_type: u8| vec_of_varint(u64::from(field.number << 3 | u32::from(wire_type)));
        let with_length =
            move |content: Vec<u8>| [tag(2), vec_of_varint(content.len() as u64), content].concat();
        match (wire_type(field.kind), field.kind) {
            (_, FieldKind::String) => ".{0,12}".prop_map(move |text| with_length(text.into_bytes())).boxed(),
            (_, FieldKind::Message(inner)) if depth > 0 => {
                encoded(inner, depth - 1).prop_map(with_length).boxed()
            }
            (2, _) => vec(any::<u8>(), 0..12).prop_map(with_length).boxed(),
            (0, _) => prop_oneof![0..9_u64, any::<u64>()]
                .prop_map(move |value| [tag(0), vec_of_varint(value)].concat())
                .boxed(),
            (1, _) => any::<[u8; 8]>().prop_map(move |value| [tag(1), value.to_vec()].concat()).boxed(),
            _ => any::<[u8; 4]>().prop_map(move |value| [tag(5), value.to_vec()].concat()).boxed(),
        }
    }

    fn wire_type(kind: FieldKind) -> u8 {
        match kind {
            FieldKind::Double | FieldKind::Fixed64 | FieldKind::Sfixed64 => 1,
            FieldKind::Float | FieldKind::Fixed32 | FieldKind::Sfixed32 => 5,
            FieldKind::String | FieldKind::Bytes | FieldKind::Message(_) => 2,
            _ => 0,
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

    fn any_message() -> impl Strategy<Value = (&'static MessageDescriptor, Vec<u8>)> {
        let messages: Vec<&'static MessageDescriptor> =
            proto::schema::METHODS.iter().flat_map(|method| [method.request, method.response]).collect();
        proptest::sample::select(messages)
            .prop_flat_map(|message| encoded(message, 3).prop_map(move |bytes| (message, bytes)))
    }

    proptest! {
        #[test]
        fn json_equals_that_of_prost_reflect((message, bytes) in any_message()) {
            let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
            let descriptor = pool.get_message_by_name(message.name).unwrap();
            let reference = DynamicMessage::decode(descriptor, bytes.as_slice()).unwrap();
            // Encoded again, it has no defaults and one member of each `oneof`.
            let bytes = reference.encode_to_vec();

            let decoded = to_json(message, &bytes, &JsonOptions::compact());

            prop_assert_eq!(decoded.problem, None);
            prop_assert!(!decoded.has_unknown_fields);
            let ours: serde_json::Value = serde_json::from_str(&decoded.json).unwrap();
            prop_assert_eq!(ours, serde_json::to_value(&reference).unwrap());
        }
    }
}
