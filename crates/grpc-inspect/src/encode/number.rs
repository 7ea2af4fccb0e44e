//! Numbers of JSON, exact: an integer may have a point or an exponent, and no digit is lost on the way.

/// The integer that a number of JSON stands for, if it is one and fits.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let (is_negative, digits, exponent) = parts(text)?;
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let without_zeros = significant.trim_end_matches('0');
    let exponent = exponent.checked_add(i64::try_from(significant.len() - without_zeros.len()).ok()?)?;
    // No integer of 64 bits has more digits.
    if !(0..=20).contains(&exponent) || without_zeros.len() > 20 {
        return None;
    }
    let value = without_zeros.parse::<i128>().ok()?.checked_mul(10_i128.pow(exponent as u32))?;
    Some(if is_negative { -value } else { value })
}

/// Whether a text is a number of JSON.
pub(super) fn is_number(text: &str) -> bool {
    parts(text).is_some()
}

/// The sign, all digits without the point, and the exponent for which they are an integer.
fn parts(text: &str) -> Option<(bool, String, i64)> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !are_digits(whole) || !fraction.is_none_or(are_digits) || has_leading_zero {
        return None;
    }
    let fraction = fraction.unwrap_or_default();
    Some((is_negative, [whole, fraction].concat(), exponent.checked_sub(fraction.len() as i64)?))
}

fn parse_exponent(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // An exponent beyond these limits makes any number zero, infinite or no integer.
    let value = unsigned.parse().unwrap_or(i64::from(i32::MAX)).min(i64::from(i32::MAX));
    Some(if text.starts_with('-') { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_in_every_notation() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("18446744073709551615", u64::MAX.into()),
            ("-9223372036854775808", i64::MIN.into()),
            ("1.0", 1),
            ("-1.50e1", -15),
            ("1E2", 100),
            ("100e-2", 1),
            ("0e99999999999999999999", 0),
            ("0.00", 0),
        ] {
            assert_eq!(integer(text), Some(value), "{text}");
        }
    }

    #[test]
    fn other_numbers_and_other_texts_are_none() {
        for text in ["1.5", "1e-1", "1e21", "1e99999999999999999999", "1e-99999999999999999999"] {
            assert_eq!(integer(text), None, "{text}");
            assert!(is_number(text), "{text}");
        }
        for text in ["", "-", "+1", " 1", "1 ", "01", ".5", "1.", "1e", "1e+", "0x1", "NaN", "1_0", "١"] {
            assert!(!is_number(text), "{text}");
            assert_eq!(integer(text), None, "{text}");
        }
    }
}
