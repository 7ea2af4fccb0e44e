//! The contract as Rust: messages, client, method table, and the service trait with the feature `server`.

tonic::include_proto!("notes.v1");
include!(concat!(env!("OUT_DIR"), "/methods.rs"));
