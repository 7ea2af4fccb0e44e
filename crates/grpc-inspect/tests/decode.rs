//! Tests of decoding by a pool: examples that no other library decides. `peers` compares the rest with one.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

mod support;

use grpc_inspect::decode::{
    DecodedMessage, MAX_DEPTH, MAX_UNKNOWN_FIELDS, UnknownField, UnknownValue, to_json,
};
use grpc_inspect::json::{JsonOptions, Problem, ProblemKind};
use grpc_inspect::json_text::Path;
use grpc_inspect::pool::Pool;
use support::everything;

fn decoded(pool: &Pool, name: &str, bytes: &[u8]) -> DecodedMessage {
    to_json(pool.message(name).unwrap(), bytes, &JsonOptions::compact())
}

/// The JSON of a message without problems.
fn json(pool: &Pool, name: &str, bytes: &[u8]) -> String {
    let decoded = decoded(pool, name, bytes);
    assert_eq!((decoded.problem, decoded.unknown_field_count), (None, 0), "{}", decoded.json);
    decoded.json
}

const V2: &str = "test.v2.Everything";
const V3: &str = "test.v3.Everything";

#[test]
fn the_newest_member_of_a_oneof_counts() {
    let pool = everything();
    // choiceNumber 1, choiceText "x", choiceNumber 2
    assert_eq!(json(&pool, V3, b"\xf0\x03\x01\xea\x03\x01x\xf0\x03\x02"), r#"{"choiceNumber":2}"#);
    assert_eq!(json(&pool, V3, b"\xf0\x03\x01\xea\x03\x01x"), r#"{"choiceText":"x"}"#);
    // Two messages are merged, but not across another member.
    let merged = b"\xfa\x03\x02\x18\x01\xfa\x03\x02\x28\x02";
    assert_eq!(json(&pool, V3, merged), r#"{"choiceMessage":{"int32":1,"uint32":2}}"#);
    let separated = b"\xfa\x03\x02\x18\x01\xf0\x03\x01\xfa\x03\x02\x28\x02";
    assert_eq!(json(&pool, V3, separated), r#"{"choiceMessage":{"uint32":2}}"#);
}

#[test]
fn the_last_entry_of_a_key_counts() {
    let pool = everything();
    let bytes = b"\xca\x02\x04\x08\x01\x10\x01\xca\x02\x04\x08\x02\x10\x02\xca\x02\x04\x08\x01\x10\x03";
    assert_eq!(json(&pool, V3, bytes), r#"{"byInt32":{"2":2,"1":3}}"#);
}

#[test]
fn groups_are_read_to_their_end() {
    let pool = everything();
    let group = b"\xcb\x02\x08\x05\x13\x1a\x01x\x14\xcc\x02";
    assert_eq!(json(&pool, V2, group), r#"{"onegroup":{"number":5,"inside":{"text":"x"}}}"#);
    let cut = decoded(&pool, V2, &group[..8]);
    assert_eq!(cut.json, r#"{"onegroup":{"number":5,"inside":{"text":"x"}}}"#, "what is there is shown");
    assert_eq!(cut.problem, Some(Problem { offset: 0, kind: ProblemKind::Truncated }));
    // A group where bytes are due, and bytes where a group is due.
    let wrong = decoded(&pool, V2, b"\x93\x01\x94\x01\xca\x02\x00");
    assert_eq!((wrong.json.as_str(), wrong.problem, wrong.unknown_field_count), ("{}", None, 2));
    let other_end = decoded(&pool, V2, b"\xcb\x02\x0c");
    assert_eq!(other_end.problem, Some(Problem { offset: 0, kind: ProblemKind::InvalidField }));
}

#[test]
fn unknown_fields_are_kept_with_their_place() {
    let pool = everything();
    // inners[1]: field 1000, a varint; byString["k"]: field 1000, a group.
    let bytes = b"\xaa\x02\x00\xaa\x02\x03\xc0\x3e\x07\xa2\x03\x0b\x0a\x01k\x12\x06\xc3\x3e\x08\x01\xc4\x3e";
    let decoded = decoded(&pool, V3, bytes);
    assert_eq!(decoded.json, r#"{"inners":[{},{}],"byString":{"k":{}}}"#);
    assert_eq!(
        decoded.unknown_fields,
        [
            UnknownField {
                path: Path::root().key("inners").item(1),
                number: 1000,
                offset: 6,
                value: UnknownValue::Varint(7),
            },
            UnknownField {
                path: Path::root().key("byString").key("k"),
                number: 1000,
                offset: 17,
                value: UnknownValue::Group(vec![8, 1]),
            },
        ]
    );
    let shown =
        to_json(pool.message(V3).unwrap(), bytes, &JsonOptions { indent: false, ..JsonOptions::pretty() });
    assert_eq!(shown.json, r#"{"inners":[{},{"1000":"7"}],"byString":{"k":{"1000":"CAE="}}}"#);
}

#[test]
fn unknown_fields_are_kept_up_to_a_limit_and_counted() {
    let pool = everything();
    let decoded = decoded(&pool, V3, &b"\xc0\x3e\x07".repeat(MAX_UNKNOWN_FIELDS + 5));
    assert_eq!(decoded.unknown_fields.len(), MAX_UNKNOWN_FIELDS);
    assert_eq!(decoded.unknown_field_count, MAX_UNKNOWN_FIELDS + 5);
}

#[test]
fn a_number_that_a_closed_enum_lacks_is_an_unknown_field() {
    let pool = everything();
    let closed = decoded(&pool, V2, b"\x80\x01\x63");
    assert_eq!((closed.json.as_str(), closed.unknown_field_count), ("{}", 1));
    assert_eq!(json(&pool, V2, b"\x80\x01\x00"), r#"{"color":"RED"}"#, "the first of equal numbers");
    assert_eq!(json(&pool, V3, b"\x80\x01\x63"), r#"{"color":99}"#);
}

#[test]
fn lists_are_read_packed_and_not() {
    let pool = everything();
    let both = b"\xba\x01\x02\x01\x02\xb8\x01\x03";
    assert_eq!(json(&pool, V3, both), r#"{"int32s":[1,2,3]}"#);
    assert_eq!(json(&pool, V2, both), r#"{"int32s":[1,2,3]}"#);
}

#[test]
fn an_any_of_an_unknown_type_is_shown_in_base64_and_its_type_is_told() {
    let pool = everything();
    let any = b"\xba\x04\x0a\x0a\x04x/qq\x12\x02\x08\x01";
    let decoded = decoded(&pool, V3, any);
    assert_eq!(decoded.json, r#"{"any":{"@type":"x/qq","value":"CAE="}}"#);
    assert_eq!(decoded.unknown_types, ["qq"]);
    assert_eq!(json(&pool, V3, b"\xba\x04\x00"), r#"{"any":{}}"#);
    let known = b"\xba\x04\x1a\x0a\x14x/test.v3.Everything\x12\x02\x18\x01";
    assert_eq!(json(&pool, V3, known), r#"{"any":{"@type":"x/test.v3.Everything","int32":1}}"#);
}

#[test]
fn values_without_a_form_of_their_own_are_shown_by_field() {
    let pool = everything();
    let nanos = [b"\xc2\x04\x0b\x10".as_slice(), &[0xff; 9], &[1]].concat();
    assert_eq!(json(&pool, V3, &nanos), r#"{"timestamp":{"seconds":"0","nanos":-1}}"#);
    assert_eq!(json(&pool, V3, b"\xca\x04\x04\x08\x01\x10\x01"), r#"{"duration":"1.000000001s"}"#);
    assert_eq!(json(&pool, V3, b"\xd2\x04\x05\x0a\x03a_1"), r#"{"fieldMask":{"paths":["a_1"]}}"#);
    assert_eq!(json(&pool, V3, b"\xe2\x04\x00"), r#"{"value":null}"#);
}

#[test]
fn nesting_is_followed_to_a_limit() {
    let pool = everything();
    let nested = |depth: usize| {
        (0..depth).fold(Vec::new(), |inside: Vec<u8>, _| {
            let mut bytes = vec![0x92, 0x01];
            prost::encoding::encode_varint(inside.len() as u64, &mut bytes);
            [bytes, inside].concat()
        })
    };
    assert_eq!(decoded(&pool, V3, &nested(MAX_DEPTH)).problem, None);
    let deep = decoded(&pool, V3, &nested(MAX_DEPTH + 5));
    assert_eq!(deep.problem.map(|problem| problem.kind), Some(ProblemKind::TooDeep));
    assert_eq!(deep.json.matches("inner").count(), MAX_DEPTH + 1);
}
