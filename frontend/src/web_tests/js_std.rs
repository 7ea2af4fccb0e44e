//! JavaScript's functions give the same results as Rust's.

use crate::js_std::{double, float, lower_case};
use chat_model::letter::{has_case, is_alphanumeric};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn numbers_have_the_fewest_digits() {
    for value in [0.0, -0.0, 1.5, 0.1, -2.25, 1e15, f64::from(0.1_f32), 0.000_123, 123_456.789] {
        assert_eq!(double(value), value.to_string());
    }
    for value in [0.0, -0.0, 1.5, 0.1, -2.25, 16_777_216.0, 0.333_333_34, 9.806_65, 1.175_494_4e-5] {
        let text = float(value);
        assert_eq!(text.parse(), Ok(value), "{text}");
        assert!(text.len() <= value.to_string().len(), "{text}");
    }
    assert_eq!(float(0.1), "0.1");
    assert_eq!(double(5e-324).parse(), Ok(5e-324));
    assert_eq!(double(1e300).parse(), Ok(1e300));
}

#[wasm_bindgen_test]
fn lower_case_follows_unicode() {
    for text in ["Chinwag", "ÄÖÜ ẞ", "ΟΔΟΣ", "İstanbul", "ЖУК", "王小明"] {
        assert_eq!(lower_case(text), text.to_lowercase());
    }
}

#[wasm_bindgen_test]
fn kinds_of_letters_follow_unicode() {
    for letter in "aZ5_- éßÄ中ع٣Ⅷª²ǅ🦀\u{301}\u{200d}".chars() {
        assert_eq!(is_alphanumeric(letter), letter.is_alphanumeric(), "{letter:?}");
        assert_eq!(has_case(letter), letter.is_lowercase() || letter.is_uppercase(), "{letter:?}");
    }
}
