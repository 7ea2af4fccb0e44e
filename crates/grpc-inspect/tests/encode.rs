//! Tests of encoding by a pool: each error has its place, and the texts that `peers` does not make.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

mod support;

use grpc_inspect::decode::MAX_DEPTH;
use grpc_inspect::encode::from_json;
use grpc_inspect::json_text::{JsonError, JsonErrorKind};
use grpc_inspect::pool::Pool;
use support::everything;

const V2: &str = "test.v2.Everything";
const V3: &str = "test.v3.Everything";

fn encoded(pool: &Pool, name: &str, text: &str) -> Result<Vec<u8>, JsonError> {
    from_json(pool.message(name).unwrap(), text)
}

fn bytes(pool: &Pool, text: &str) -> Vec<u8> {
    encoded(pool, V3, text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn both_names_and_all_notations_are_accepted() {
    let pool = everything();
    for text in [
        r#"{"maybeInt32":100}"#,
        r#"{"maybe_int32":"100"}"#,
        r#"{"maybeInt32":1e2}"#,
        r#"{"maybeInt32":"100.0"}"#,
        " {\n\"\\u006daybeInt32\" : 1.00E+2 } ",
    ] {
        assert_eq!(bytes(&pool, text), b"\x98\x01\x64", "{text}");
    }
    assert_eq!(bytes(&pool, r#"{"float":3.4028235e38}"#), b"\x15\xff\xff\x7f\x7f");
    assert_eq!(bytes(&pool, r#"{"float":"NaN"}"#), b"\x15\x00\x00\xc0\x7f");
    assert_eq!(
        bytes(&pool, r#"{"uint64":18446744073709551615}"#),
        b"\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
    );
    for text in [r#"{"bytes":"-_8="}"#, r#"{"bytes":"+/8"}"#] {
        assert_eq!(bytes(&pool, text), b"\x7a\x02\xfb\xff", "{text}");
    }
    assert_eq!(bytes(&pool, r#"{"color":-7}"#), b"\x80\x01\xf9\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    assert_eq!(bytes(&pool, r#"{"color":"COLOR_RED","double":-0.0}"#)[..2], [0x09, 0]);
}

#[test]
fn null_is_an_absent_field_but_a_value_of_value() {
    let pool = everything();
    assert_eq!(
        bytes(
            &pool,
            r#"{"int32":null,"inners":null,"any":null,"byInt32":null,"choiceText":null,"choiceNumber":1}"#
        ),
        b"\xf0\x03\x01"
    );
    assert_eq!(bytes(&pool, r#"{"value":null}"#), b"\xe2\x04\x02\x08\x00");
    assert_eq!(bytes(&pool, r#"{"values":[null],"nullValue":null}"#), b"\xda\x05\x02\x08\x00");
}

#[test]
fn implicit_defaults_are_left_out_and_others_are_not() {
    let pool = everything();
    assert_eq!(
        bytes(&pool, r#"{"int32":0,"string":"","bool":false,"color":"COLOR_NONE","bytes":"","double":0}"#),
        b""
    );
    assert_eq!(bytes(&pool, r#"{"maybeInt32":0,"maybeString":""}"#), b"\x98\x01\x00\xa2\x01\x00");
    assert_eq!(bytes(&pool, r#"{"choiceNumber":0}"#), b"\xf0\x03\x00");
    assert_eq!(bytes(&pool, r#"{"int32Value":0,"stringValue":"x"}"#), b"\x9a\x05\x00\xb2\x05\x03\x0a\x01x");
    assert_eq!(encoded(&pool, V2, r#"{"int32":0}"#).unwrap(), b"\x18\x00");
    assert_eq!(encoded(&pool, V2, "{}").unwrap(), b"", "a missing required field is the server's business");
}

#[test]
fn an_any_takes_known_messages_and_the_bytes_of_others() {
    let pool = everything();
    let any = |json: &str| bytes(&pool, &format!(r#"{{"any":{json}}}"#));
    assert_eq!(any(r#"{"@type":"x/qq","value":"CAE="}"#), b"\xba\x04\x0a\x0a\x04x/qq\x12\x02\x08\x01");
    assert_eq!(
        any(r#"{"int32":1,"@type":"x/test.v3.Everything"}"#)[3..],
        *b"\x0a\x14x/test.v3.Everything\x12\x02\x18\x01"
    );
    assert_eq!(any("{}"), b"\xba\x04\x00");
    let empty = any(r#"{"@type":"x/google.protobuf.Empty"}"#);
    assert_eq!(any(r#"{"@type":"x/google.protobuf.Empty","value":{}}"#), empty);
}

/// A text with its error: line, column and path, and a part of the message.
#[track_caller]
fn refused(pool: &Pool, name: &str, text: &str, place: (usize, usize), path: &str, words: &str) {
    let error = encoded(pool, name, text).unwrap_err();
    assert_eq!(
        ((error.line, error.column), error.path.to_string().as_str()),
        (place, path),
        "{text}: {error}"
    );
    assert!(error.to_string().contains(words), "{text}: {error}");
}

#[test]
fn a_text_that_is_no_json_is_an_error_with_its_place() {
    let pool = everything();
    for (text, place, path, words) in [
        ("", (1, 1), "$", "a value"),
        ("{", (1, 2), "$", "a key in double quotes"),
        ("{\n  \"int32\": 1,\n}", (3, 1), "$", "found '}' where a key"),
        ("{\"inner\": {\"a\" 1}}", (1, 16), "$.inner.a", "found '1' where ':'"),
        ("{\"int32\": 01}", (1, 12), "$.int32", "no number"),
        ("{\"int32\": 1.}", (1, 13), "$.int32", "a digit"),
        ("{\"int32s\": [1 2]}", (1, 15), "$", "',' or ']'"),
        ("{\"string\": \"a\nb\"}", (1, 14), "$.string", "U+000A"),
        ("{\"string\": \"ä\\x\"}", (1, 14), "$.string", "no escape"),
        ("{\"string\": \"\\ud800\"}", (1, 13), "$.string", "surrogate"),
        ("{} {}", (1, 4), "$", "the end of the text"),
        ("{\"int32\": tru", (1, 11), "$.int32", "a value"),
    ] {
        let path = if text.contains("1 2") { "$.int32s" } else { path };
        refused(&pool, V3, text, place, path, words);
    }
    refused(&pool, V3, &"[".repeat(300), (1, 201), &format!("${}", "[0]".repeat(200)), "deeper than 200");
}

#[test]
fn a_value_that_does_not_fit_is_an_error_with_its_place_and_what_is_expected() {
    let pool = everything();
    for (text, column, path, words) in [
        ("[]", 1, "$", "an object, found []"),
        (r#"{"int32":2147483648}"#, 10, "$.int32", "-2147483648 to 2147483647, found 2147483648"),
        (r#"{"int32":1.5}"#, 10, "$.int32", "an integer"),
        (r#"{"uint32":-1}"#, 11, "$.uint32", "from 0 to 4294967295"),
        (r#"{"int64":" 1"}"#, 10, "$.int64", "an integer"),
        (r#"{"bool":"true"}"#, 9, "$.bool", "true or false"),
        (r#"{"string":1}"#, 11, "$.string", "a string"),
        (r#"{"bytes":"?"}"#, 10, "$.bytes", "base64"),
        (r#"{"double":"1e999"}"#, 11, "$.double", "range of double"),
        (r#"{"float":3.5e38}"#, 10, "$.float", "range of float"),
        (r#"{"double":"inf"}"#, 11, "$.double", "\"NaN\""),
        (r#"{"color":1.5}"#, 10, "$.color", "test.v3.Everything.Color"),
        (r#"{"inner":1}"#, 10, "$.inner", "an object"),
        (r#"{"int32s":[1,"x"]}"#, 14, "$.int32s[1]", "an integer"),
        (r#"{"int32s":[1,null]}"#, 14, "$.int32s[1]", "not null"),
        (r#"{"int32s":{}}"#, 11, "$.int32s", "a list"),
        (r#"{"byInt32":{"x":1}}"#, 13, "$.byInt32.x", "found \"x\""),
        (r#"{"byBool":{"yes" :"COLOR_RED"}}"#, 12, "$.byBool.yes", "found \"yes\""),
        (r#"{"byInt32":{"1":null}}"#, 17, "$.byInt32[\"1\"]", "not null"),
        (
            r#"{"byString":{"a b":{"inner":{"int32":{}}}}}"#,
            38,
            "$.byString[\"a b\"].inner.int32",
            "an integer",
        ),
        (r#"{"timestamp":"yesterday"}"#, 14, "$.timestamp", "a time as in"),
        (r#"{"duration":1}"#, 13, "$.duration", "seconds as in"),
        (r#"{"fieldMask":"a_b"}"#, 14, "$.fieldMask", "lowerCamelCase"),
        (r#"{"struct":[]}"#, 11, "$.struct", "an object"),
        (r#"{"listValue":{}}"#, 14, "$.listValue", "a list"),
        (r#"{"value":{"a":[1e999]}}"#, 16, "$.value.a[0]", "neither NaN"),
        (r#"{"any":{"int32":1}}"#, 8, "$.any", "@type"),
        (r#"{"any":{"@type":"x"}}"#, 17, "$.any[\"@type\"]", "@type"),
        (r#"{"any":{"@type":"x/y","z":1}}"#, 17, "$.any[\"@type\"]", "type \"y\" is not known"),
        (r#"{"any":{"@type":"x/google.protobuf.Duration"}}"#, 8, "$.any", "needs a member \"value\""),
        (r#"{"any":{"@type":"x/google.protobuf.Duration","value":1}}"#, 54, "$.any.value", "seconds"),
    ] {
        refused(&pool, V3, text, (1, column), path, words);
    }
    refused(&pool, V2, r#"{"color":77}"#, (1, 10), "$.color", "test.v2.Everything.Color, found 77");
}

#[test]
fn an_unknown_name_is_an_error_with_the_nearest_known_one() {
    let pool = everything();
    refused(
        &pool,
        V3,
        "{\n  \"inner\": {\"maybeint32\": 1}\n}",
        (2, 13),
        "$.inner.maybeint32",
        "did you mean \"maybeInt32\"?",
    );
    refused(
        &pool,
        V3,
        r#"{"zzzzzzzz":1}"#,
        (1, 2),
        "$.zzzzzzzz",
        "test.v3.Everything has no field \"zzzzzzzz\"",
    );
    refused(&pool, V3, r#"{"color":"COLOR_READ"}"#, (1, 10), "$.color", "did you mean \"COLOR_RED\"?");
    refused(
        &pool,
        V2,
        r#"{"[test.v2.extra_numbr]":1}"#,
        (1, 2),
        "$[\"[test.v2.extra_numbr]\"]",
        "[test.v2.extra_number]",
    );
    let error = encoded(&pool, V3, r#"{"zzzzzzzz":1}"#).unwrap_err();
    assert!(matches!(*error.kind, JsonErrorKind::UnknownField { nearest: None, .. }), "{error}");
}

#[test]
fn one_value_for_a_field_and_for_a_oneof() {
    let pool = everything();
    refused(
        &pool,
        V3,
        r#"{"maybeInt32":1,"maybe_int32":2}"#,
        (1, 17),
        "$.maybe_int32",
        "\"maybeInt32\" has a value already",
    );
    refused(
        &pool,
        V3,
        r#"{"choiceText":"","choiceNumber":2}"#,
        (1, 18),
        "$.choiceNumber",
        "oneof \"choice\"",
    );
    refused(
        &pool,
        V3,
        r#"{"byInt32":{"1":1,"1.0":2}}"#,
        (1, 19),
        "$.byInt32[\"1.0\"]",
        "has a value already",
    );
    refused(&pool, V3, r#"{"struct":{"a":1,"a":2}}"#, (1, 18), "$.struct.a", "has a value already");
}

#[test]
fn messages_may_be_nested_to_a_limit() {
    let pool = everything();
    let nested = |depth: usize| format!("{}{{}}{}", "{\"inner\":".repeat(depth), "}".repeat(depth));
    assert!(encoded(&pool, V3, &nested(MAX_DEPTH)).is_ok());
    let error = encoded(&pool, V3, &nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(*error.kind, JsonErrorKind::TooDeep(MAX_DEPTH));
    assert_eq!(error.path.0.len(), MAX_DEPTH + 1);
}

#[test]
fn descriptors_of_descriptors_come_back_byte_for_byte() {
    let files = protox::compile(["google/protobuf/descriptor.proto"], ["."]).unwrap();
    let set = prost::Message::encode_to_vec(&files);
    let pool = Pool::from_set(&set).unwrap();
    let message = pool.message("google.protobuf.FileDescriptorSet").unwrap();
    let shown = grpc_inspect::decode::to_json(message, &set, &grpc_inspect::json::JsonOptions::pretty());
    assert_eq!((shown.problem, shown.unknown_field_count), (None, 0));
    assert!(from_json(message, &shown.json).unwrap() == set, "{}", shown.json);
}
