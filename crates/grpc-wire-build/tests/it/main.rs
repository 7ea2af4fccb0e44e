//! Tables as a build script makes them, compared with the golden file and compiled.

use std::error::Error as _;
use std::fs;

use grpc_wire::method::{Idempotency, Method, MethodKind};
use grpc_wire_build::{Error, MethodTable};
use prost::Message as _;
use prost_types::FileDescriptorSet;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden");

/// The golden file is compiled here, so output that is not Rust fails this test program.
#[allow(unreachable_pub, reason = "the table is public in the crates that include it")]
mod golden {
    include!("golden/methods.rs");
}

fn files() -> FileDescriptorSet {
    protox::compile(["notes.proto", "plain.proto"], [FOLDER]).expect("the contracts of the test compile")
}

#[test]
fn output_is_the_golden_file() {
    let golden = fs::read_to_string(format!("{FOLDER}/methods.rs")).unwrap();
    assert_eq!(MethodTable::new(&files()).source().unwrap(), golden);
}

#[test]
fn compiled_table_has_paths_kinds_and_idempotency() {
    use Idempotency::{Idempotent, NoSideEffects};
    assert_eq!(
        golden::METHODS,
        [
            Method::new("/notes.v1.Notes/List", MethodKind::Unary).with_idempotency(NoSideEffects),
            Method::new("/notes.v1.Notes/Add", MethodKind::Unary).with_idempotency(Idempotent),
            Method::new("/notes.v1.Notes/Watch", MethodKind::ServerStreaming),
            Method::new("/notes.v1.Archive/Import", MethodKind::ClientStreaming),
            Method::new("/notes.v1.Archive/Merge", MethodKind::Bidirectional),
            Method::new("/Plain/Ping", MethodKind::Unary),
        ]
    );
}

#[test]
fn bytes_and_files_of_descriptors_give_the_same_table() {
    let bytes = files().encode_to_vec();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("descriptors.bin");
    fs::write(&path, &bytes).unwrap();

    let expected = MethodTable::new(&files()).source().unwrap();
    assert_eq!(MethodTable::from_bytes(&bytes).unwrap().source().unwrap(), expected);
    assert_eq!(MethodTable::from_file(&path).unwrap().source().unwrap(), expected);
}

#[test]
fn table_is_written_under_its_file_name() {
    let folder = tempfile::tempdir().unwrap();
    let table = MethodTable::new(&files()).file_name("notes_methods.rs");
    let path = table.write_to(folder.path()).unwrap();
    assert_eq!(path, folder.path().join("notes_methods.rs"));
    assert_eq!(fs::read_to_string(path).unwrap(), table.source().unwrap());
}

#[test]
fn package_keeps_only_its_services() {
    let source = MethodTable::new(&files()).package("notes.v1").source().unwrap();
    assert!(source.contains("/notes.v1.Archive/Merge") && !source.contains("/Plain/"), "{source}");

    let source = MethodTable::new(&files()).package("notes.v1").package("").source().unwrap();
    assert!(source.contains("Method; 6]"), "{source}");
}

#[test]
fn types_come_from_the_given_path() {
    let source = MethodTable::new(&files()).types_from("::tonic_web_channel").source().unwrap();
    assert!(source.contains("[::tonic_web_channel::Method; 6]"), "{source}");
    assert!(source.contains("use ::tonic_web_channel::{"), "{source}");
    assert!(!source.contains("grpc_wire"), "{source}");
}

#[test]
fn misspelt_package_is_an_error_that_names_it() {
    let error = MethodTable::new(&files()).package("notes.v1").package("notes").source().unwrap_err();
    assert_eq!(error.to_string(), "no service in package notes");

    let error = MethodTable::new(&FileDescriptorSet::default()).source().unwrap_err();
    assert_eq!(error.to_string(), "no service in the descriptors");
}

#[test]
fn bytes_that_are_not_descriptors_are_an_error() {
    let error = MethodTable::from_bytes(b"\xff\xff").unwrap_err();
    assert!(matches!(error, Error::Descriptors(_)) && error.source().is_some(), "{error:?}");
}

#[test]
fn missing_file_is_an_error_that_names_it() {
    let error = MethodTable::from_file("no/such.bin").unwrap_err();
    assert_eq!(error.to_string(), "cannot read no/such.bin");
}

#[cfg(feature = "protox")]
#[test]
fn compile_gives_descriptors_with_imports_and_comments() {
    let files = grpc_wire_build::compile(["notes.proto"], [FOLDER]).unwrap();
    let names: Vec<&str> = files.file.iter().map(|file| file.name()).collect();
    assert_eq!(names, ["note.proto", "notes.proto"]);
    assert!(files.file.iter().all(|file| file.source_code_info.is_some()));

    let error = grpc_wire_build::compile(["missing.proto"], [FOLDER]).unwrap_err();
    assert!(error.source().unwrap().to_string().contains("missing.proto"), "{error:?}");
}
