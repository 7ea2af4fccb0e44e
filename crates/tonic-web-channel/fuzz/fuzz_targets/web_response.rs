//! Responses of gRPC-Web: none may make the channel panic, and none may depend on how it is cut.
//!
//! `cargo +nightly fuzz run web_response` in `channel/`. What it finds goes into `corpus/web_response`, which a test
//! of the channel reads on every run.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tonic_web_channel::fuzzing::web_response(data));
