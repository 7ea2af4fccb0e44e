//! Tests of pools: what they know of descriptors, and how they refuse wrong ones.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

use grpc_inspect::descriptor::{FieldKind, Shape};
use grpc_inspect::pool::{Pool, PoolBuilder, PoolError, PoolErrorKind};
use grpc_wire::method::{Idempotency, MethodKind};
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MessageOptions, MethodDescriptorProto, ServiceDescriptorProto,
};

/// The files of `tests/protos` with their comments.
fn set() -> FileDescriptorSet {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/protos");
    let mut compiler = protox::Compiler::new([folder]).unwrap();
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(["everything2.proto", "everything3.proto"]).unwrap();
    compiler.file_descriptor_set()
}

fn pool() -> Pool {
    Pool::from_set(&set().encode_to_vec()).unwrap()
}

fn edition() -> Pool {
    Pool::from_set(include_bytes!("protos/edition.bin")).unwrap()
}

#[test]
fn a_service_has_its_methods_with_kinds_comments_and_messages() {
    let pool = pool();
    let [service] = pool.services().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((service.full_name(), service.name()), ("test.v3.Calls", "Calls"));
    assert_eq!((service.file(), service.comment()), ("everything3.proto", "Everything by calls."));
    let methods: Vec<_> = service.methods().map(|method| (method.path(), method.kind())).collect();
    assert_eq!(
        methods,
        [
            ("/test.v3.Calls/Unary".to_owned(), MethodKind::Unary),
            ("/test.v3.Calls/Down".to_owned(), MethodKind::ServerStreaming),
            ("/test.v3.Calls/Up".to_owned(), MethodKind::ClientStreaming),
            ("/test.v3.Calls/Both".to_owned(), MethodKind::Bidirectional),
        ]
    );
    let [unary, down, up, both] = service.methods().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(unary.comment(), "One and one.");
    assert_eq!(unary.idempotency(), Idempotency::NoSideEffects);
    assert_eq!((down.idempotency(), up.idempotency()), (Idempotency::Idempotent, Idempotency::Unknown));
    assert_eq!((both.is_deprecated(), up.is_deprecated()), (true, false));
    assert_eq!(both.request().full_name(), "test.v3.Everything.Nested");
    assert_eq!(both.response().full_name(), "google.protobuf.Empty");
    assert_eq!(pool.method("/test.v3.Calls/Up").unwrap().name(), "Up");
    assert!(pool.method("/test.v3.Calls/Nothing").is_none());
    assert!(pool.method("test.v3.Calls/Up").is_none());
}

#[test]
fn comments_stand_before_an_element_or_behind_it() {
    let pool = pool();
    let everything = pool.message("test.v3.Everything").unwrap();
    assert_eq!(everything.comment(), "A message of proto3.\n\nWith a second paragraph.");
    assert_eq!(everything.field_by_name("double").unwrap().comment(), "Behind a field.");
    assert_eq!(everything.field_by_name("float").unwrap().comment(), "");
    assert_eq!(everything.oneofs().next().unwrap().comment(), "One of these.");
    let color = pool.enum_type("test.v3.Everything.Color").unwrap();
    assert_eq!(color.value_by_name("COLOR_RED").unwrap().comment(), "Like blood.");
    assert_eq!(pool.message("test.v3.Everything.Nested").unwrap().comment(), "Nested.");
    let extended = pool.message("test.v2.Everything").unwrap();
    let extension = extended.field_by_name("[test.v2.Everything.inner_extra]").unwrap();
    assert_eq!(extension.comment(), "An extension in the scope of a message.");
}

#[test]
fn fields_have_both_names_shapes_and_defaults() {
    let pool = pool();
    let v2 = pool.message("test.v2.Everything").unwrap();
    let renamed = v2.field_by_name("other name").unwrap();
    assert_eq!((renamed.name(), renamed.number(), renamed.is_deprecated()), ("renamed", 71, true));
    assert_eq!(v2.field_by_name("renamed"), Some(renamed));
    assert_eq!(v2.field_by_number(71), Some(renamed));
    assert_eq!(v2.field_by_number(72), None);
    assert_eq!(v2.field_by_name("int64").unwrap().default_text(), Some("-9223372036854775808"));
    assert_eq!(v2.field_by_name("inners").unwrap().shape(), Shape::Repeated);
    let (key, value) = v2.field_by_name("colorByNumber").unwrap().map_entry().unwrap();
    assert!(matches!(key.kind(), FieldKind::Int32));
    assert!(
        matches!(value.kind(), FieldKind::Enum(color) if color.full_name() == "test.v2.Everything.Color")
    );
    assert!(v2.field_by_name("inners").unwrap().map_entry().is_none());
    assert!(pool.messages().all(|message| !message.is_map_entry()));
    let group = v2.field_by_name("onegroup").unwrap();
    assert!(group.is_delimited() && group.has_presence());
    let v3 = pool.message("test.v3.Everything").unwrap();
    assert_eq!(v3.field_by_name("_odd__name_").unwrap().json_name(), "OddName");
}

#[test]
fn extensions_belong_to_the_message_that_they_extend() {
    let pool = pool();
    let v2 = pool.message("test.v2.Everything").unwrap();
    let extensions: Vec<_> = v2.extensions().map(|field| (field.number(), field.json_name())).collect();
    assert_eq!(
        extensions,
        [
            (100, "[test.v2.extra_number]"),
            (101, "[test.v2.extra_numbers]"),
            (102, "[test.v2.extra]"),
            (103, "[test.v2.extras]"),
            (104, "[test.v2.extra_color]"),
            (105, "[test.v2.extragroup]"),
            (110, "[test.v2.Everything.inner_extra]"),
        ]
    );
    let extension = v2.field_by_number(110).unwrap();
    assert!(extension.is_extension() && extension.message() == v2);
    assert_eq!(v2.field_by_name("test.v2.extra"), None);
    assert_eq!(pool.message("test.v2.Extra").unwrap().field_by_name("[test.v2.extra]"), None);
}

#[test]
fn presence_and_encoding_follow_the_syntax() {
    let pool = pool();
    let of = |message: &str, field: &str| {
        let field = pool.message(message).unwrap().field_by_name(field).unwrap();
        (field.has_presence(), field.is_required(), field.is_packed(), field.checks_utf8())
    };
    assert_eq!(of("test.v2.Everything", "int32"), (true, false, false, false));
    assert_eq!(of("test.v2.Everything", "required"), (true, true, false, false));
    assert_eq!(of("test.v2.Everything", "int32s"), (false, false, true, false));
    assert_eq!(of("test.v2.Everything", "int64s"), (false, false, false, false));
    assert_eq!(of("test.v3.Everything", "int32"), (false, false, false, true));
    assert_eq!(of("test.v3.Everything", "maybeInt32"), (true, false, false, true));
    assert_eq!(of("test.v3.Everything", "choiceNumber"), (true, false, false, true));
    assert_eq!(of("test.v3.Everything", "inner"), (true, false, false, true));
    assert_eq!(of("test.v3.Everything", "int32s"), (false, false, true, true));
    assert_eq!(of("test.v3.Everything", "int64s"), (false, false, false, true));
    assert_eq!(of("test.v3.Everything", "strings"), (false, false, false, true));
    let maybe = pool.message("test.v3.Everything").unwrap().field_by_name("maybe_int32").unwrap();
    assert_eq!(maybe.oneof(), None, "the compiler's oneof is not shown");
    let is_closed = |name| pool.enum_type(name).unwrap().is_closed();
    assert!(is_closed("test.v2.Everything.Color") && !is_closed("test.v3.Everything.Color"));
}

#[test]
fn presence_and_encoding_follow_the_features_of_an_edition() {
    let pool = edition();
    let of = |message: &str, field: &str| {
        let field = pool.message(message).unwrap().field_by_name(field).unwrap();
        let presence = (field.has_presence(), field.is_required());
        (presence, field.is_packed(), field.is_delimited(), field.checks_utf8())
    };
    assert_eq!(of("test.edition.Everything", "explicit"), ((true, false), false, false, false));
    assert_eq!(of("test.edition.Everything", "required"), ((true, true), false, false, false));
    assert_eq!(of("test.edition.Everything", "expanded"), ((false, false), false, false, false));
    assert_eq!(of("test.edition.Everything", "packed"), ((false, false), true, false, false));
    assert_eq!(of("test.edition.Everything", "inside"), ((true, false), false, true, false));
    assert_eq!(of("test.edition.Everything", "groups"), ((false, false), false, true, false));
    assert_eq!(of("test.edition.Everything", "prefixed"), ((true, false), false, false, false));
    assert_eq!(of("test.edition.Everything", "byName"), ((false, false), false, false, false));
    assert_eq!(of("test.edition.Everything", "checked"), ((true, false), false, false, true));
    assert_eq!(of("test.edition.New", "implicit"), ((false, false), false, false, false));
    let is_closed = |name| pool.enum_type(name).unwrap().is_closed();
    assert!(is_closed("test.edition.Everything.Closed") && !is_closed("test.edition.New.Open"));
    assert_eq!(pool.message("test.edition.New").unwrap().comment(), "Features that proto2 lacks.");
}

#[test]
fn edition_2024_has_the_same_features_and_later_ones_are_refused() {
    let set: &[u8] = include_bytes!("protos/edition.bin");
    // Field 14 of the file, the edition.
    let place = set.windows(3).position(|bytes| bytes == [0x70, 0xe8, 0x07]).unwrap();
    let with_edition = |low: u8| {
        let mut set = set.to_vec();
        set[place + 1] = low;
        Pool::from_set(&set)
    };
    let pool = with_edition(0xe9).unwrap();
    let everything = pool.message("test.edition.Everything").unwrap();
    assert!(everything.field_by_name("explicit").unwrap().has_presence());
    assert!(everything.field_by_name("inside").unwrap().is_delimited());
    assert_eq!(with_edition(0xea).unwrap_err().kind, PoolErrorKind::UnknownEdition(1002));
}

#[test]
fn files_are_added_in_any_order_and_repeatedly() {
    let mut files = set().file;
    files.reverse();
    let mut builder = PoolBuilder::new();
    builder.add_file(&files[0].encode_to_vec()).unwrap();
    assert_eq!(files[0].name(), "everything3.proto");
    assert!(builder.has_file("everything3.proto") && builder.has_service("test.v3.Calls"));
    assert_eq!(builder.missing().count(), 7);
    assert!(builder.missing().any(|name| name == "google/protobuf/any.proto"));
    for file in files.iter().chain(&files) {
        builder.add_file(&file.encode_to_vec()).unwrap();
    }
    assert_eq!(builder.missing().count(), 0);
    let pool = builder.build().unwrap();
    assert_eq!(pool.files().count(), files.len());
    assert_eq!(pool.files().last(), Some("everything3.proto"), "behind what it imports");
}

#[test]
fn a_file_of_the_same_name_and_other_content_is_refused() {
    let mut builder = PoolBuilder::new();
    builder.add_file(&file("a.proto", vec![]).encode_to_vec()).unwrap();
    let error = builder.add_file(&file("a.proto", vec![message("A", vec![])]).encode_to_vec()).unwrap_err();
    assert_eq!((error.file.as_str(), error.kind), ("a.proto", PoolErrorKind::FileConflict));
}

fn file(name: &str, messages: Vec<DescriptorProto>) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some("p".to_owned()),
        message_type: messages,
        ..FileDescriptorProto::default()
    }
}

fn message(name: &str, fields: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.to_owned()), field: fields, ..DescriptorProto::default() }
}

fn field(name: &str, number: i32, kind: Type, type_name: &str) -> FieldDescriptorProto {
    let mut field = FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        type_name: (!type_name.is_empty()).then(|| type_name.to_owned()),
        ..FieldDescriptorProto::default()
    };
    field.set_type(kind);
    field.set_label(Label::Optional);
    field
}

fn refused(file: FileDescriptorProto) -> PoolError {
    let set = FileDescriptorSet { file: vec![file] };
    Pool::from_set(&set.encode_to_vec()).unwrap_err()
}

fn refused_fields(fields: Vec<FieldDescriptorProto>) -> (String, PoolErrorKind) {
    let error = refused(file("a.proto", vec![message("A", fields)]));
    assert_eq!(error.file, "a.proto");
    (error.element, error.kind)
}

#[test]
fn a_wrong_field_is_named_with_its_reason() {
    let int = |name, number| field(name, number, Type::Int32, "");
    let unknown = |name: &str| PoolErrorKind::UnknownType { name: name.to_owned(), missing: vec![] };
    let element = |name: &str| format!("p.A{name}");
    let mut oneof = int("x", 1);
    oneof.oneof_index = Some(0);
    let mut no_number = int("x", 1);
    no_number.r#type = Some(99);
    for (fields, name, kind) in [
        (vec![field("x", 1, Type::Message, ".p.B")], ".x", unknown("p.B")),
        (vec![field("x", 1, Type::Message, "B")], ".x", unknown("B")),
        (vec![field("x", 1, Type::Enum, "A")], ".x", PoolErrorKind::WrongType("A".to_owned())),
        (vec![int("x", 0)], ".x", PoolErrorKind::InvalidFieldNumber(0)),
        (vec![int("x", -1)], ".x", PoolErrorKind::InvalidFieldNumber(-1)),
        (vec![int("x", 1 << 29)], ".x", PoolErrorKind::InvalidFieldNumber(1 << 29)),
        (vec![int("x", 1), int("y", 1)], ".y", PoolErrorKind::DuplicateFieldNumber(1)),
        (vec![int("x", 1), int("x", 2)], ".x", PoolErrorKind::DuplicateName),
        (vec![oneof], ".x", PoolErrorKind::UnknownOneof(0)),
        (vec![no_number], ".x", PoolErrorKind::UnknownTypeNumber(99)),
        (vec![int("", 1)], "", PoolErrorKind::NoName),
    ] {
        assert_eq!(refused_fields(fields), (element(name), kind));
    }
}

#[test]
fn a_wrong_element_is_named_with_its_reason() {
    let mut with_enum = file("a.proto", vec![]);
    with_enum.enum_type = vec![EnumDescriptorProto { name: Some("E".to_owned()), ..Default::default() }];
    let mut map = message("A", vec![field("key", 1, Type::Double, ""), field("value", 2, Type::Bool, "")]);
    map.options = Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() });
    let mut with_service = file("a.proto", vec![message("A", vec![])]);
    let method = MethodDescriptorProto {
        name: Some("M".to_owned()),
        input_type: Some(".p.A".to_owned()),
        output_type: Some(".p.B".to_owned()),
        ..MethodDescriptorProto::default()
    };
    with_service.service = vec![ServiceDescriptorProto {
        name: Some("S".to_owned()),
        method: vec![method],
        ..ServiceDescriptorProto::default()
    }];
    let mut imports_itself = file("a.proto", vec![]);
    imports_itself.dependency = vec!["a.proto".to_owned()];
    let mut of_edition = file("a.proto", vec![]);
    of_edition.syntax = Some("editions".to_owned());
    let mut of_syntax = file("a.proto", vec![]);
    of_syntax.syntax = Some("proto9".to_owned());
    let unknown = PoolErrorKind::UnknownType { name: "p.B".to_owned(), missing: vec![] };
    for (file, element, kind) in [
        (with_enum, "p.E", PoolErrorKind::NoEnumValue),
        (file("a.proto", vec![map]), "p.A", PoolErrorKind::InvalidMapEntry),
        (with_service, "p.S.M", unknown),
        (
            file("a.proto", vec![message("A", vec![]), message("A", vec![])]),
            "p.A",
            PoolErrorKind::DuplicateName,
        ),
        (file("a.proto", vec![message("", vec![])]), "p", PoolErrorKind::NoName),
        (imports_itself, "", PoolErrorKind::ImportCircle),
        (of_edition, "", PoolErrorKind::UnknownEdition(0)),
        (of_syntax, "", PoolErrorKind::UnknownSyntax("proto9".to_owned())),
    ] {
        let error = refused(file);
        assert_eq!((error.file.as_str(), error.element.as_str()), ("a.proto", element), "{error}");
        assert_eq!(error.kind, kind);
    }
}

#[test]
fn an_error_is_a_sentence_with_file_and_element() {
    let mut importing = file("a.proto", vec![message("A", vec![field("x", 1, Type::Message, ".q.B")])]);
    importing.dependency = vec!["b.proto".to_owned()];
    assert_eq!(
        refused(importing).to_string(),
        "a.proto: p.A.x: type \"q.B\" is not known; the file imports b.proto, which is missing"
    );
}

#[test]
fn wrong_bytes_are_refused_with_their_offset() {
    let refused = |bytes: &[u8]| Pool::from_set(bytes).unwrap_err();
    assert_eq!(refused(b"").kind, PoolErrorKind::NoFile);
    assert_eq!(refused(b"\x0a\x05ab").kind, PoolErrorKind::InvalidBytes { offset: 0 });
    assert_eq!(refused(b"\x0a\x04\x12\x01p\xff").kind, PoolErrorKind::InvalidBytes { offset: 5 });
    assert_eq!(refused(b"\x0a\x00").kind, PoolErrorKind::NoFileName);
    assert_eq!(refused(b"\x0a\x03\x0a\x01\xff").kind, PoolErrorKind::InvalidUtf8);
    let error = refused(b"\x0a\x05\x0a\x01n\x12\x09");
    assert_eq!((error.file.as_str(), error.kind), ("n", PoolErrorKind::InvalidBytes { offset: 5 }));
}

#[test]
fn nested_messages_have_a_limit() {
    let nested = |depth| {
        let inside = (0..depth).fold(message("A", vec![]), |inside, _| {
            let mut outer = message("A", vec![]);
            outer.nested_type = vec![inside];
            outer
        });
        Pool::from_set(&FileDescriptorSet { file: vec![file("a.proto", vec![inside])] }.encode_to_vec())
    };
    assert!(nested(63).is_ok());
    assert!(matches!(nested(64).unwrap_err().kind, PoolErrorKind::TooDeep(64)));
}

#[test]
fn full_names_have_a_limit() {
    let named = |length: usize| {
        let set =
            FileDescriptorSet { file: vec![file("a.proto", vec![message(&"x".repeat(length), vec![])])] };
        Pool::from_set(&set.encode_to_vec())
    };
    assert!(named(1022).is_ok());
    assert_eq!(named(1023).unwrap_err().kind, PoolErrorKind::NamesTooLong);
    // Fields of short names, each with the long name of their message: 80 MB of names from 1 MB.
    let fields = (1..80_000).map(|number| field(&number.to_string(), number, Type::Bool, "")).collect();
    let set = FileDescriptorSet { file: vec![file("a.proto", vec![message(&"x".repeat(1000), fields)])] };
    assert_eq!(Pool::from_set(&set.encode_to_vec()).unwrap_err().kind, PoolErrorKind::NamesTooLong);
}
