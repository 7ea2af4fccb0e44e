//! Tests of forms and templates.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

mod support;

use grpc_inspect::decode::to_json;
use grpc_inspect::descriptor::Shape;
use grpc_inspect::encode::from_json;
use grpc_inspect::form::{Control, FormField, MAX_TEMPLATE_BYTES, WellKnown, fields, template};
use grpc_inspect::json::JsonOptions;
use grpc_inspect::json_text::{Content, Path, content_at, set_value};
use grpc_inspect::pool::{Message, Pool};
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};
use support::everything;

const V2: &str = "test.v2.Everything";
const V3: &str = "test.v3.Everything";

fn field(pool: &Pool, message: &str, name: &str) -> FormField {
    fields(pool.message(message).unwrap()).into_iter().find(|field| field.json_name == name).unwrap()
}

#[test]
fn each_type_has_its_control() {
    let pool = everything();
    let control = |name| field(&pool, V3, name).control;
    assert_eq!(
        control("int32"),
        Control::Integer { min: i32::MIN.into(), max: i32::MAX as u64, is_string: false }
    );
    assert_eq!(control("uint64"), Control::Integer { min: 0, max: u64::MAX, is_string: true });
    assert_eq!(
        control("sfixed64"),
        Control::Integer { min: i64::MIN, max: i64::MAX as u64, is_string: true }
    );
    assert_eq!((control("float"), control("bool")), (Control::Float, Control::Bool));
    assert_eq!((control("string"), control("bytes")), (Control::Text, Control::Bytes));
    assert_eq!(control("any"), Control::WellKnown(WellKnown::Any));
    assert_eq!(control("timestamps"), Control::WellKnown(WellKnown::Timestamp));
    assert_eq!(control("stringValue"), Control::Wrapper(Box::new(Control::Text)));
    assert_eq!(control("inner"), Control::Message { type_name: V3.to_owned() });
    let Control::Enum { type_name, values } = control("color") else { panic!() };
    assert_eq!((type_name.as_str(), values[1].name.as_str()), ("test.v3.Everything.Color", "COLOR_RED"));
    assert_eq!((values[1].number, values[1].comment.as_str()), (1, "Like blood."));
    let map = field(&pool, V3, "byBool");
    assert_eq!((map.shape, map.key), (Shape::Map, Some(Control::Bool)));
    assert!(matches!(map.control, Control::Enum { .. }));
    let choice = field(&pool, V3, "choiceNumber");
    assert_eq!((choice.oneof.as_deref(), choice.has_presence), (Some("choice"), true));
    assert_eq!(field(&pool, V3, "maybeInt32").oneof, None);
}

#[test]
fn a_new_value_has_the_default_of_the_file() {
    let pool = everything();
    let default = |message, name| field(&pool, message, name).default_json;
    for (name, expected) in [
        ("float", "\"-Infinity\""),
        ("int32", "7"),
        ("int64", "\"-9223372036854775808\""),
        ("bool", "true"),
        ("string", r#""a\"b""#),
        ("bytes", "\"AP8=\""),
        ("color", "\"RED\""),
        ("double", "0"),
        ("uint64", "\"0\""),
        ("colors", "\"COLOR_NONE\""),
        ("inner", "{}"),
    ] {
        assert_eq!(default(V2, name), expected, "{name}");
    }
    for (name, expected) in [
        ("timestamp", "\"1970-01-01T00:00:00Z\""),
        ("duration", "\"0s\""),
        ("value", "null"),
        ("int64Value", "\"0\""),
        ("nullValue", "null"),
        ("fieldMask", "\"\""),
    ] {
        assert_eq!(default(V3, name), expected, "{name}");
    }
}

/// Reads a template as its message, and gives it back as JSON.
fn round_trip(message: Message<'_>, json: &str) -> String {
    let bytes = from_json(message, json).unwrap_or_else(|error| panic!("{error}\n{json}"));
    let decoded = to_json(message, &bytes, &JsonOptions::compact());
    assert_eq!((decoded.problem, decoded.unknown_field_count), (None, 0));
    decoded.json
}

#[test]
fn a_template_of_every_message_is_valid() {
    for pool in [everything(), Pool::from_set(proto::FILE_DESCRIPTOR_SET).unwrap()] {
        for message in pool.messages() {
            let template = template(message);
            round_trip(message, &template.json);
            for alternative in &template.alternatives {
                let path = &alternative.path;
                let (last, way) = path.0.split_last().unwrap();
                let other = Path(way.to_vec()).key(&alternative.instead_of);
                let text = grpc_inspect::json_text::remove_value(&template.json, &other).unwrap();
                let text = set_value(&text, path, &alternative.default_json).unwrap();
                round_trip(message, &text);
                assert!(matches!(last, grpc_inspect::json_text::Step::Field { .. }));
            }
        }
    }
}

#[test]
fn a_template_has_all_fields_with_an_item_of_each_list_and_the_first_of_a_oneof() {
    let pool = everything();
    let nested = template(pool.message("test.v3.Everything.Nested").unwrap());
    assert!(nested.json.starts_with("{\n  \"children\": [],\n  \"named\": {}"), "{}", nested.json);
    let left = nested.alternatives.iter().find(|other| other.path.to_string() == "$.left").unwrap();
    assert_eq!(left.instead_of, "right", "the first member is inside of itself");
    let v3 = template(pool.message(V3).unwrap());
    let at = |path: &str| content_at(&v3.json, &path.parse().unwrap()).unwrap();
    assert_eq!(at("$.int32s[0]"), Some(Content::Number("0".to_owned())));
    assert_eq!(at("$.byInt64[\"0\"]"), Some(Content::String(String::new())));
    assert_eq!(at("$.byBool[\"false\"]"), Some(Content::String("COLOR_NONE".to_owned())));
    assert_eq!(at("$.valueByString.key"), Some(Content::Null));
    assert_eq!(at("$.choiceText"), Some(Content::String(String::new())));
    assert_eq!(at("$.choiceNumber"), None);
    assert_eq!(at("$.inner"), None, "a message inside of itself");
    assert_eq!(at("$.inners"), Some(Content::Items(0)));
    let number = v3.alternatives.iter().find(|other| other.path.to_string() == "$.choiceNumber").unwrap();
    assert_eq!((number.oneof.as_str(), number.instead_of.as_str()), ("choice", "choiceText"));
    assert_eq!(number.default_json, "0");
}

#[test]
fn a_template_of_many_messages_ends() {
    // Each of 12 messages has 12 fields of the next one: 12 to the power of 12 fields.
    let message = |level: usize| DescriptorProto {
        name: Some(format!("M{level}")),
        field: (1..=12)
            .map(|number| {
                let mut field = FieldDescriptorProto {
                    name: Some(format!("f{number}")),
                    number: Some(number),
                    type_name: Some(format!(".M{}", level + 1)),
                    ..FieldDescriptorProto::default()
                };
                field.set_type(if level == 11 { Type::Bool } else { Type::Message });
                field.set_label(Label::Optional);
                field
            })
            .collect(),
        ..DescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("m.proto".to_owned()),
        message_type: (0..12).map(message).collect(),
        ..FileDescriptorProto::default()
    };
    let pool = Pool::from_set(&FileDescriptorSet { file: vec![file] }.encode_to_vec()).unwrap();
    let template = template(pool.message("M0").unwrap());
    assert!((MAX_TEMPLATE_BYTES..2 * MAX_TEMPLATE_BYTES).contains(&template.json.len()));
    round_trip(pool.message("M0").unwrap(), &template.json);
}

#[test]
fn a_form_sets_values_in_the_text_by_the_step_of_a_field() {
    let pool = everything();
    let path = Path::root().then(field(&pool, V3, "maybeInt32").step());
    let text = set_value("{\n  \"maybe_int32\": 1\n}", &path, "2").unwrap();
    assert_eq!(text, "{\n  \"maybe_int32\": 2\n}", "the name of the text stays");
    let inside = Path::root().then(field(&pool, V3, "inner").step()).then(field(&pool, V3, "string").step());
    let text = set_value(&text, &inside, "\"x\"").unwrap();
    assert_eq!(round_trip(pool.message(V3).unwrap(), &text), r#"{"inner":{"string":"x"},"maybeInt32":2}"#);
}
