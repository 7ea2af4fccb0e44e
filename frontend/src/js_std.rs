//! Functions of JavaScript's standard library in place of Rust's, whose tables would add 10 KB to the page: lower case and the
//! formatting of floating-point numbers.
//!
//! On the host, where there is no JavaScript, Rust's own functions stand in for tests.

/// `text` in lower case by Unicode, without language-specific rules.
#[cfg(target_arch = "wasm32")]
pub(crate) fn lower_case(text: &str) -> String {
    js_sys::JsString::from(text).to_lower_case().into()
}

/// The shortest decimal text that is read back as `value`, which must be finite.
#[cfg(target_arch = "wasm32")]
pub(crate) fn double(value: f64) -> String {
    if value == 0.0 && value.is_sign_negative() {
        return "-0".to_owned();
    }
    // It fails only for bases outside of 2 to 36.
    js_sys::Number::from(value).to_string_with_radix(10).map(String::from).unwrap_or_default()
}

/// The shortest decimal text that is read back as `value`, which must be finite.
#[cfg(target_arch = "wasm32")]
pub(crate) fn float(value: f32) -> String {
    if value == 0.0 {
        return double(value.into());
    }
    let number = js_sys::Number::from(value);
    // Nine digits are always enough.
    (1..=9)
        .filter_map(|digits| number.to_precision(digits).ok())
        .map(|text| js_sys::Number::parse_float(&String::from(text)))
        .find(|rounded| (*rounded as f32).to_bits() == value.to_bits())
        .map(double)
        .unwrap_or_default()
}

/// Stands in for tests.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn lower_case(text: &str) -> String {
    text.to_lowercase()
}

/// Stands in for tests.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn double(value: f64) -> String {
    value.to_string()
}

/// Stands in for tests.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn float(value: f32) -> String {
    value.to_string()
}
