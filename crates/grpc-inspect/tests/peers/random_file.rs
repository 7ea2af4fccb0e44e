//! Random descriptors: messages with any fields, in each other, with enums, maps and oneofs, of proto2 or proto3.

use fastrand::Rng;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FieldOptions,
    FileDescriptorProto, MessageOptions, OneofDescriptorProto,
};

const SCALARS: [Type; 15] = [
    Type::Double,
    Type::Float,
    Type::Int64,
    Type::Uint64,
    Type::Int32,
    Type::Fixed64,
    Type::Fixed32,
    Type::Bool,
    Type::String,
    Type::Bytes,
    Type::Uint32,
    Type::Sfixed32,
    Type::Sfixed64,
    Type::Sint32,
    Type::Sint64,
];

const KEYS: [Type; 12] = [
    Type::Int64,
    Type::Uint64,
    Type::Int32,
    Type::Fixed64,
    Type::Fixed32,
    Type::Bool,
    Type::String,
    Type::Uint32,
    Type::Sfixed32,
    Type::Sfixed64,
    Type::Sint32,
    Type::Sint64,
];

pub(crate) fn file(rng: &mut Rng) -> FileDescriptorProto {
    let is_proto3 = rng.bool();
    let messages = rng.usize(1..4);
    let names: Vec<String> = (0..messages)
        .flat_map(|index| [format!(".random.M{index}"), format!(".random.M{index}.Inner")])
        .collect();
    FileDescriptorProto {
        name: Some("random.proto".to_owned()),
        package: Some("random".to_owned()),
        syntax: is_proto3.then(|| "proto3".to_owned()),
        enum_type: vec![enum_type(rng, is_proto3)],
        message_type: (0..messages)
            .map(|index| {
                let full_name = format!(".random.M{index}");
                let inner = message(rng, "Inner", &format!("{full_name}.Inner"), is_proto3, &names);
                let mut outer = message(rng, &format!("M{index}"), &full_name, is_proto3, &names);
                outer.nested_type.push(inner);
                outer
            })
            .collect(),
        ..FileDescriptorProto::default()
    }
}

fn enum_type(rng: &mut Rng, is_proto3: bool) -> EnumDescriptorProto {
    let mut numbers = vec![0];
    if !is_proto3 {
        numbers[0] = rng.i32(..);
    }
    for _ in 0..rng.usize(0..5) {
        let number = if rng.bool() { rng.i32(-5..20) } else { rng.i32(..) };
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    let value = |(index, number): (usize, i32)| EnumValueDescriptorProto {
        name: Some(format!("VALUE_{index}")),
        number: Some(number),
        options: None,
    };
    EnumDescriptorProto {
        name: Some("E".to_owned()),
        value: numbers.into_iter().enumerate().map(value).collect(),
        ..EnumDescriptorProto::default()
    }
}

fn message(rng: &mut Rng, name: &str, full_name: &str, is_proto3: bool, names: &[String]) -> DescriptorProto {
    let mut proto = DescriptorProto { name: Some(name.to_owned()), ..DescriptorProto::default() };
    let mut number = 0;
    for index in 0..rng.usize(0..9) {
        number += if rng.u8(0..10) == 0 { rng.i32(1..100_000_000) } else { rng.i32(1..4) };
        if (19_000..20_000).contains(&number) {
            number = 20_000;
        }
        if number > 536_870_911 {
            break;
        }
        let mut field = field(rng, &format!("field_{index}"), number, names);
        match rng.u8(0..6) {
            0 => {
                proto.nested_type.push(map_entry(rng, index, names));
                field.set_type(Type::Message);
                field.type_name = Some(format!("{full_name}.Field{index}Entry"));
                field.set_label(Label::Repeated);
            }
            1 | 2 => {
                field.set_label(Label::Repeated);
                let can_be_packed = !matches!(field.r#type(), Type::String | Type::Bytes | Type::Message);
                if can_be_packed && rng.bool() {
                    field.options =
                        Some(FieldOptions { packed: Some(rng.bool()), ..FieldOptions::default() });
                }
            }
            3 if !is_proto3 => field.set_label(Label::Required),
            4 => {
                if proto.oneof_decl.is_empty() {
                    proto
                        .oneof_decl
                        .push(OneofDescriptorProto { name: Some("which".to_owned()), options: None });
                }
                field.oneof_index = Some(0);
            }
            _ => {}
        }
        proto.field.push(field);
    }
    proto
}

fn field(rng: &mut Rng, name: &str, number: i32, names: &[String]) -> FieldDescriptorProto {
    let mut field = FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        ..FieldDescriptorProto::default()
    };
    field.set_label(Label::Optional);
    match rng.u8(0..6) {
        0 => {
            field.set_type(Type::Enum);
            field.type_name = Some(".random.E".to_owned());
        }
        1 => {
            field.set_type(Type::Message);
            field.type_name = Some(names[rng.usize(0..names.len())].clone());
        }
        _ => field.set_type(SCALARS[rng.usize(0..SCALARS.len())]),
    }
    field
}

fn map_entry(rng: &mut Rng, index: usize, names: &[String]) -> DescriptorProto {
    let mut key = field(rng, "key", 1, names);
    key.set_type(KEYS[rng.usize(0..KEYS.len())]);
    key.type_name = None;
    DescriptorProto {
        name: Some(format!("Field{index}Entry")),
        field: vec![key, field(rng, "value", 2, names)],
        options: Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() }),
        ..DescriptorProto::default()
    }
}
