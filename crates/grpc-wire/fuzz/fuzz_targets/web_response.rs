//! Responses of gRPC-Web: none may cause a panic, and cuts into chunks may not change the result.
//!
//! `cargo +nightly fuzz run web_response` in `crates/grpc-wire/`. Its findings go into `corpus/web_response`, which a
//! test reads on every run.
#![no_main]

#[path = "../check.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
