//! What JavaScript has anyway and Rust's own would add 10 KB of code and tables to the page for: letters in lower
//! case, and numbers that are not whole as text.
//!
//! On the host, where there is no JavaScript, Rust's own stands in for it, for tests.

/// `text` in lower case, as Unicode has it, by no language's own rules.
#[cfg(target_arch = "wasm32")]
pub fn lower_case(text: &str) -> String {
    js_sys::JsString::from(text).to_lower_case().into()
}

/// The fewest digits that stand for `value` among doubles. It is finite.
#[cfg(target_arch = "wasm32")]
pub fn double(value: f64) -> String {
    if value == 0.0 && value.is_sign_negative() {
        return "-0".to_owned();
    }
    // It fails for other bases than 2 to 36.
    js_sys::Number::from(value).to_string_with_radix(10).map(String::from).unwrap_or_default()
}

/// The fewest digits that stand for `value` among numbers of 32 bits. It is finite.
#[cfg(target_arch = "wasm32")]
pub fn float(value: f32) -> String {
    if value == 0.0 {
        return double(value.into());
    }
    let number = js_sys::Number::from(value);
    // Nine are always enough.
    (1..=9)
        .filter_map(|digits| number.to_precision(digits).ok())
        .map(|text| js_sys::Number::parse_float(&String::from(text)))
        .find(|near| (*near as f32).to_bits() == value.to_bits())
        .map(double)
        .unwrap_or_default()
}

/// The same, for tests.
#[cfg(not(target_arch = "wasm32"))]
pub fn lower_case(text: &str) -> String {
    text.to_lowercase()
}

/// The same, for tests.
#[cfg(not(target_arch = "wasm32"))]
pub fn double(value: f64) -> String {
    value.to_string()
}

/// The same, for tests.
#[cfg(not(target_arch = "wasm32"))]
pub fn float(value: f32) -> String {
    value.to_string()
}
