//! Any bytes as descriptors, any bytes as messages and any text as JSON: no panic, and the work and the memory are bounded by the input.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

mod support;

use grpc_inspect::decode::{MAX_JSON_BYTES, to_json};
use grpc_inspect::encode::from_json;
use grpc_inspect::form::{fields, template};
use grpc_inspect::json::JsonOptions;
use grpc_inspect::json_text::{Path, content_at, remove_value, set_value, value_at};
use grpc_inspect::pool::{Message, Pool, PoolBuilder, PoolErrorKind};
use proptest::{collection::vec, prelude::*, sample::Index};
use support::everything;

/// Random bytes with many small values, which make valid tags.
fn message_like_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![0_u8..0x60, any::<u8>()], 0..300)
}

/// Changes of some bytes, as a broken file has them.
fn changes() -> impl Strategy<Value = Vec<(Index, u8)>> {
    vec((any::<Index>(), prop_oneof![0_u8..0x30, any::<u8>()]), 0..8)
}

fn changed(bytes: &[u8], changes: &[(Index, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (index, value) in changes {
        let index = index.index(bytes.len());
        bytes[index] = *value;
    }
    bytes
}

/// Uses everything that a pool has.
fn use_pool(pool: &Pool, bytes: &[u8]) {
    for service in pool.services() {
        for method in service.methods() {
            assert_eq!(pool.method(&method.path()).unwrap().request(), method.request());
        }
    }
    for message in pool.messages().take(40) {
        use_message(message, bytes);
        let form = fields(message);
        assert_eq!(form.len(), message.fields().len());
        let template = template(message);
        let encoded = from_json(message, &template.json);
        // Names that are equal in JSON are possible in a broken file.
        if let Ok(encoded) = encoded {
            use_message(message, &encoded);
        }
    }
}

fn use_message(message: Message<'_>, bytes: &[u8]) {
    let decoded = to_json(message, bytes, &JsonOptions::pretty());
    assert!(serde_json::from_str::<serde_json::Value>(&decoded.json).is_ok(), "{}", decoded.json);
    assert!(decoded.problem.is_none_or(|problem| problem.offset <= bytes.len()));
}

proptest! {
    #[test]
    fn any_bytes_are_a_pool_or_an_error(bytes in message_like_bytes()) {
        if let Ok(pool) = Pool::from_set(&bytes) {
            use_pool(&pool, &bytes);
        }
        let mut builder = PoolBuilder::new();
        if builder.add_file(&bytes).is_ok() && let Ok(pool) = builder.build() {
            use_pool(&pool, &bytes);
        }
    }

    #[test]
    fn a_changed_set_is_a_pool_or_an_error(changes in changes(), bytes in message_like_bytes()) {
        for set in [proto::FILE_DESCRIPTOR_SET, include_bytes!("protos/edition.bin").as_slice()] {
            if let Ok(pool) = Pool::from_set(&changed(set, &changes)) {
                use_pool(&pool, &bytes);
            }
        }
    }

    #[test]
    fn any_path_and_value_change_a_text_into_a_text(
        text in json_like_text(),
        path in "\\$(\\.[ab]|\\[[0-2]\\]){0,4}",
        value in prop_oneof![Just("1"), Just("{\n  \"a\": [1]\n}"), Just("x")],
    ) {
        let path: Path = path.parse().unwrap();
        let is_json = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        prop_assert!(!is_json || value_at(&text, &path).is_ok());
        let Ok(new) = set_value(&text, &path, value) else { return Ok(()) };
        let [found, given] = [value_at(&new, &path).unwrap().unwrap(), value]
            .map(|json| serde_json::from_str::<serde_json::Value>(json).unwrap());
        prop_assert_eq!(found, given, "{}", new);
        let without = remove_value(&new, &path).unwrap();
        prop_assert!(content_at(&without, &Path::root()).is_ok(), "{}", without);
    }
}

/// Texts that are JSON or almost.
fn json_like_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\"b\""),
        Just("1"),
        Just("-2.5e3"),
        Just("null"),
        Just("true"),
        Just(" "),
        Just("\n"),
        Just("\"\\u00e9\""),
        Just("é"),
        Just("\""),
    ];
    let value = prop_oneof![Just("1".to_owned()), Just("null".to_owned()), Just("\"é\\n\"".to_owned())];
    let json = value.prop_recursive(4, 30, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(" , "))),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{{\"a\":{a},\n \"b\" : {b}}}")),
        ]
    });
    prop_oneof![json, vec(word, 0..30).prop_map(|words| words.concat())]
}

#[test]
fn any_bytes_are_decoded_and_come_back() {
    let pool = everything();
    let messages = ["test.v2.Everything", "test.v3.Everything", "test.v3.Everything.Nested"];
    proptest!(|(bytes in message_like_bytes(), which in 0..messages.len())| {
        let message = pool.message(messages[which]).unwrap();
        use_message(message, &bytes);
        let compact = to_json(message, &bytes, &JsonOptions::compact());
        // A form of a broken value, such as a time out of range, is none that is read.
        if let Ok(encoded) = from_json(message, &compact.json) {
            let again = to_json(message, &encoded, &JsonOptions::compact());
            prop_assert_eq!(again.problem, None);
            prop_assert_eq!(again.unknown_field_count, 0);
        }
    });
}

#[test]
fn any_text_is_encoded_or_an_error_with_a_place_in_it() {
    let pool = everything();
    let message = pool.message("test.v3.Everything").unwrap();
    let keys = ["int32", "inner", "byString", "struct", "any", "@type", "values", "timestamp", "x"];
    proptest!(|(text in json_like_text(), a in 0..keys.len(), b in 0..keys.len())| {
        let text = text.replace("\"a\"", &format!("\"{}\"", keys[a])).replace("\"b\"", &format!("\"{}\"", keys[b]));
        match from_json(message, &text) {
            Ok(bytes) => use_message(message, &bytes),
            Err(error) => {
                prop_assert!(error.offset <= text.len());
                let line = text.split('\n').nth(error.line - 1);
                prop_assert!(line.is_some_and(|line| error.column <= line.chars().count() + 1), "{}", error);
            }
        }
    });
}

/// A message of depth 99 with a packed list: each byte becomes a line with an indentation of 200 spaces.
#[test]
fn json_that_grows_beyond_its_limit_is_cut_and_stays_json() {
    let pool = everything();
    let mut bytes = [b"\xba\x01".as_slice(), &[0x80, 0x80, 0x40], &vec![0; 1 << 20]].concat();
    for _ in 0..90 {
        let mut outer = vec![0x92, 0x01];
        prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
        bytes = [outer, bytes].concat();
    }
    let decoded = to_json(pool.message("test.v3.Everything").unwrap(), &bytes, &JsonOptions::pretty());
    assert!(decoded.is_shortened);
    assert!(decoded.json.len() < MAX_JSON_BYTES + 100_000, "{}", decoded.json.len());
    assert!(decoded.json.ends_with('}'));
}

#[test]
fn a_pool_of_too_many_elements_is_refused() {
    // A message with empty fields, two bytes each.
    let fields = [0x12, 0].repeat(600_000);
    let mut message = vec![0x22];
    prost::encoding::encode_varint(fields.len() as u64, &mut message);
    let file = [b"\x0a\x01f".as_slice(), &message, &fields].concat();
    let error = PoolBuilder::new().add_file(&file).unwrap_err();
    assert!(matches!(error.kind, PoolErrorKind::TooManyElements(_)), "{error}");
}
