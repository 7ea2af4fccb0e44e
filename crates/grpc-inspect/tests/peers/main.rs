//! Decoder and encoder against `prost-reflect`, with random messages of our contracts, of every feature of the language, and of random
//! descriptors.
//!
//! `PROPTEST_CASES` sets how many messages each property tries.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

mod random_file;
mod random_message;

use grpc_inspect::decode::{DecodedMessage, to_json};
use grpc_inspect::encode::from_json;
use grpc_inspect::json::JsonOptions;
use grpc_inspect::pool::Pool;
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage as _};
use prost_types::FileDescriptorSet;
use serde_json::Value;

/// One set of descriptors as both libraries read it.
struct Pools {
    ours: Pool,
    theirs: DescriptorPool,
}

impl Pools {
    fn of(set: &[u8]) -> Pools {
        Pools { ours: Pool::from_set(set).unwrap(), theirs: DescriptorPool::decode(set).unwrap() }
    }
}

/// The descriptors of `tests/protos`.
fn everything() -> Pools {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/protos");
    let set: FileDescriptorSet =
        protox::compile(["everything2.proto", "everything3.proto"], [folder]).unwrap();
    Pools::of(&set.encode_to_vec())
}

fn decoded(pools: &Pools, message: &MessageDescriptor, bytes: &[u8]) -> DecodedMessage {
    to_json(pools.ours.message(message.full_name()).unwrap(), bytes, &JsonOptions::compact())
}

/// Checks one message in all directions.
fn check(pools: &Pools, message: &DynamicMessage) -> Result<(), TestCaseError> {
    let descriptor = message.descriptor();
    let bytes = message.encode_to_vec();
    // Empty lists are gone in the bytes.
    let message = &DynamicMessage::decode(descriptor.clone(), bytes.as_slice()).unwrap();
    let decoded = decoded(pools, &descriptor, &bytes);
    prop_assert_eq!(&decoded.problem, &None);
    prop_assert_eq!(decoded.unknown_field_count, 0, "{:?}", decoded);
    let theirs = serde_json::to_string(message).unwrap();
    let [our_value, their_value] =
        [&decoded.json, &theirs].map(|json| serde_json::from_str::<Value>(json).unwrap());
    prop_assert_eq!(difference(&our_value, &their_value), None);

    let our_descriptor = pools.ours.message(descriptor.full_name()).unwrap();
    let read_back = |json: &str| {
        let bytes = from_json(our_descriptor, json)
            .map_err(|error| TestCaseError::fail(format!("{error}: {json}")))?;
        Ok::<_, TestCaseError>(DynamicMessage::decode(descriptor.clone(), bytes.as_slice()).unwrap())
    };
    let ours = read_back(&decoded.json)?;
    // A message has several encodings, and an `Any` is equal only to the same bytes.
    if !decoded.json.contains("@type") {
        // Without their `Debug`, which does not end for recursive types.
        prop_assert!(ours == *message, "{}", decoded.json);
    }

    let mut json = serde_json::Deserializer::from_str(&decoded.json);
    let by_them = DynamicMessage::deserialize(descriptor.clone(), &mut json).unwrap();
    for read in [ours, read_back(&theirs)?, by_them] {
        let [read, expected] = [&read, message].map(|message| serde_json::to_value(message).unwrap());
        prop_assert_eq!(difference(&read, &expected), None, "{}", decoded.json);
    }
    Ok(())
}

/// The first difference between two values. `1` is `1.0`, and two texts of one `float` are equal: there may be several of the fewest digits.
fn difference(a: &Value, b: &Value) -> Option<String> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if float(a) == float(b) => None,
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).find_map(|(a, b)| difference(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let missing = b.keys().find(|key| !a.contains_key(*key)).map(|key| format!("{key} is missing"));
            missing.or_else(|| {
                a.iter().find_map(|(key, a)| {
                    difference(a, b.get(key).unwrap_or(&Value::Null)).map(|inner| format!("{key}: {inner}"))
                })
            })
        }
        _ => (a != b).then(|| format!("{a} is not {b}")),
    }
}

fn float(number: &serde_json::Number) -> Option<f32> {
    number.as_f64().map(|number| number as f32)
}

fn check_random(pools: &Pools, name: &str, seed: u64) -> Result<(), TestCaseError> {
    let descriptor = pools.theirs.get_message_by_name(name).unwrap();
    let message = random_message::Random::new(&pools.theirs, seed).message(&descriptor, 2);
    check(pools, &message)
}

#[test]
fn messages_of_proto2_are_equal() {
    let pools = everything();
    proptest!(|(seed in any::<u64>())| check_random(&pools, "test.v2.Everything", seed)?);
}

#[test]
fn messages_of_proto3_with_well_known_types_are_equal() {
    let pools = everything();
    proptest!(|(seed in any::<u64>())| check_random(&pools, "test.v3.Everything", seed)?);
}

#[test]
fn messages_of_our_contracts_are_equal() {
    let pools = Pools::of(proto::FILE_DESCRIPTOR_SET);
    let names: Vec<String> = pools.ours.messages().map(|message| message.full_name().to_owned()).collect();
    assert!(names.len() > 30, "{names:?}");
    proptest!(|(seed in any::<u64>(), which in 0..names.len())| check_random(&pools, &names[which], seed)?);
}

#[test]
fn messages_of_an_edition_are_equal_to_those_of_proto2() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/protos");
    let as_proto2 = protox::compile(["edition_as_proto2.proto"], [folder]).unwrap();
    let pools = Pools {
        ours: Pool::from_set(include_bytes!("../protos/edition.bin")).unwrap(),
        theirs: DescriptorPool::decode(as_proto2.encode_to_vec().as_slice()).unwrap(),
    };
    proptest!(|(seed in any::<u64>())| check_random(&pools, "test.edition.Everything", seed)?);
}

/// The contracts of the public conformance suite, which `cargo xtask test` names where Go has downloaded them.
#[test]
fn messages_of_the_conformance_suite_are_equal() {
    let Some(folder) = std::env::var_os("CHINWAG_CONFORMANCE_PROTOS").filter(|folder| !folder.is_empty())
    else {
        println!("left out: CHINWAG_CONFORMANCE_PROTOS does not name the suite's contracts");
        return;
    };
    let roots = ["client_compat.proto", "server_compat.proto", "service.proto"];
    let roots = roots.map(|name| format!("connectrpc/conformance/v1/{name}"));
    let set: FileDescriptorSet = protox::compile(roots, [folder]).unwrap();
    let pools = Pools::of(&set.encode_to_vec());
    let all = pools.ours.messages().map(|message| message.full_name().to_owned());
    let names: Vec<String> = all.filter(|name| name.starts_with("connectrpc.")).collect();
    assert!(names.len() > 30, "{names:?}");
    proptest!(|(seed in any::<u64>(), which in 0..names.len())| check_random(&pools, &names[which], seed)?);
}

#[test]
fn messages_of_random_descriptors_are_equal() {
    proptest!(|(seed in any::<u64>())| {
        let mut random = fastrand::Rng::with_seed(seed);
        let set = FileDescriptorSet { file: vec![random_file::file(&mut random)] };
        let pools = Pools::of(&set.encode_to_vec());
        for descriptor in pools.theirs.all_messages().filter(|message| !message.is_map_entry()) {
            let message = random_message::Random::new(&pools.theirs, random.u64(..)).message(&descriptor, 3);
            check(&pools, &message)?;
        }
    });
}
