//! `grpc-timeout`: what a client allows a call to take.

use std::time::Duration;

use http::HeaderValue;

/// The header that carries it.
pub(crate) const GRPC_TIMEOUT: &str = "grpc-timeout";

/// Most digits that the protocol allows.
const MAX_DIGITS: usize = 8;

/// The header's value is not one to eight digits and a unit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Reads a value such as `1500m`: digits, then one of `H`, `M`, `S`, `m`, `u`, `n`.
pub(crate) fn parse(value: &HeaderValue) -> Result<Duration, Malformed> {
    let (unit, digits) = value.as_bytes().split_last().ok_or(Malformed)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Ok(Duration::from_secs(number * 60 * 60)),
        b'M' => Ok(Duration::from_secs(number * 60)),
        b'S' => Ok(Duration::from_secs(number)),
        b'm' => Ok(Duration::from_millis(number)),
        b'u' => Ok(Duration::from_micros(number)),
        b'n' => Ok(Duration::from_nanos(number)),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Result<Duration, Malformed> {
        parse(&HeaderValue::from_str(value).unwrap())
    }

    #[test]
    fn every_unit_is_read() {
        assert_eq!(parsed("2H"), Ok(Duration::from_secs(7200)));
        assert_eq!(parsed("3M"), Ok(Duration::from_secs(180)));
        assert_eq!(parsed("4S"), Ok(Duration::from_secs(4)));
        assert_eq!(parsed("1500m"), Ok(Duration::from_millis(1500)));
        assert_eq!(parsed("6u"), Ok(Duration::from_micros(6)));
        assert_eq!(parsed("0n"), Ok(Duration::ZERO));
    }

    #[test]
    fn eight_digits_are_read_and_nine_refused() {
        assert_eq!(parsed("99999999H"), Ok(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(parsed("100000000n"), Err(Malformed));
    }

    #[test]
    fn anything_else_is_malformed() {
        for value in ["", "5", "m", "S5", "5s", "-5S", "+5S", "1.5S", "5 S", " 5S", "5SS", "0x5S"] {
            assert_eq!(parsed(value), Err(Malformed), "{value:?}");
        }
    }
}
