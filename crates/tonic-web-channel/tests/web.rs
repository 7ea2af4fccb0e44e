//! The transport over `fetch` in a real browser, against a server that gives invalid answers on request.
//!
//! `cargo test --target wasm32-unknown-unknown -p tonic-web-channel --tests` starts browser and server.
//! `dev/xtask/src/test/faults/answers.rs` has the answers.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

mod web {
    mod failures;
    mod leaving;
    mod responses;
    #[cfg(feature = "socket")]
    mod socket;
    mod support;

    wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
}
