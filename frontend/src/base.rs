//! The path under which the server is reached, and the names that it keeps apart from those of other servers of the origin.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(module = "/src/base.js")]
extern "C" {
    /// The path, with slashes at both ends: `/`, or that of the server's `--base-path`.
    #[wasm_bindgen(js_name = basePath)]
    pub(crate) fn base_path() -> String;

    /// Whether the server asks pages to trace their calls.
    #[wasm_bindgen(js_name = tracesCalls)]
    pub(crate) fn traces_calls() -> bool;

    /// `name` as this server's own.
    #[wasm_bindgen(js_name = ownName)]
    pub(crate) fn own_name(name: &str) -> String;
}

/// The address for calls: the page's origin and the path.
pub(crate) fn server_address() -> String {
    [origin().as_str(), &base_path()].concat()
}

/// The page's origin.
pub(crate) fn origin() -> String {
    leptos::prelude::window().location().origin().unwrap_or_default()
}
