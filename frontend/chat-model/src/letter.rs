//! Kinds of letters by Unicode. In the browser its own tables say them, because Rust's would be part of the page.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen::prelude::wasm_bindgen;

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen(module = "/src/letter.js")]
extern "C" {
    #[wasm_bindgen(js_name = isAlphanumeric)]
    fn is_alphanumeric_by_code(code: u32) -> bool;
    #[wasm_bindgen(js_name = hasCase)]
    fn has_case_by_code(code: u32) -> bool;
}

/// Whether a character is a letter or a digit.
#[cfg(target_arch = "wasm32")]
pub fn is_alphanumeric(letter: char) -> bool {
    // Most are ASCII, and a call of JavaScript is slower.
    letter.is_ascii_alphanumeric() || (!letter.is_ascii() && is_alphanumeric_by_code(letter.into()))
}

/// Whether a letter is of a script with lower and upper case.
#[cfg(target_arch = "wasm32")]
pub fn has_case(letter: char) -> bool {
    letter.is_ascii_alphabetic() || (!letter.is_ascii() && has_case_by_code(letter.into()))
}

/// Stands in for tests.
#[cfg(not(target_arch = "wasm32"))]
pub fn is_alphanumeric(letter: char) -> bool {
    letter.is_alphanumeric()
}

/// Stands in for tests.
#[cfg(not(target_arch = "wasm32"))]
pub fn has_case(letter: char) -> bool {
    letter.is_lowercase() || letter.is_uppercase()
}
