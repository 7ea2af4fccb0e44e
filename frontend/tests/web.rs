//! The page in a real browser: calls against a real server, and what only a browser has.
//!
//! `cargo xtask test` starts the server and runs these. By hand, with the tools on the PATH:
//!
//! ```sh
//! cargo run -p backend -- --listen 127.0.0.1:50052 --cors-origin http://127.0.0.1:8123 &
//! CHINWAG_TEST_SERVER=http://127.0.0.1:50052 WASM_BINDGEN_TEST_ADDRESS=127.0.0.1:8123 \
//!     cargo test --target wasm32-unknown-unknown -p frontend
//! ```
#![cfg(target_arch = "wasm32")]

mod web {
    mod calls;
    mod page;

    wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
}
