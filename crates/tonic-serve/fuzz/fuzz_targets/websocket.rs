//! WebSocket frames of a client: none may cause a panic, and cuts into chunks may not change the result.
//!
//! `cargo +nightly fuzz run websocket` in `crates/tonic-serve/`. Its findings go into `corpus/websocket`, which a test reads
//! on every run.
#![no_main]
// The target reads the crate's own module, of which it uses a part.
#![allow(dead_code)]

#[path = "../check.rs"]
mod check;
#[path = "../../src/websocket/close.rs"]
mod close;
#[path = "../../src/websocket/decoder.rs"]
mod decoder;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
