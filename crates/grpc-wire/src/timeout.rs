//! `grpc-timeout`: the time that a client gives to a call.
//!
//! Format: "Timeout" of `PROTOCOL-HTTP2.md`: at most eight digits, then one of the units `H`, `M`, `S`, `m`, `u`, `n`.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

/// The header's name.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

const MAX_DIGITS: usize = 8;
const MAX_VALUE: u64 = 99_999_999;

/// The value is not one to eight digits and a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("grpc-timeout must be one to eight digits and a unit (one of HMSmun)")]
pub struct InvalidTimeout;

/// Reads a value such as `1500m`.
pub fn parse(value: &[u8]) -> Result<Duration, InvalidTimeout> {
    let (unit, digits) = value.split_last().ok_or(InvalidTimeout)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(InvalidTimeout);
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Ok(Duration::from_secs(number * 3_600)),
        b'M' => Ok(Duration::from_secs(number * 60)),
        b'S' => Ok(Duration::from_secs(number)),
        b'm' => Ok(Duration::from_millis(number)),
        b'u' => Ok(Duration::from_micros(number)),
        b'n' => Ok(Duration::from_nanos(number)),
        _ => Err(InvalidTimeout),
    }
}

/// Writes `timeout` in the finest unit from milliseconds up that holds it, rounded up.
///
/// `None` beyond eleven thousand years, the format's end: as good as no timeout.
pub fn format(timeout: Duration) -> Option<HeaderValue> {
    let part = u64::from(timeout.subsec_nanos().div_ceil(1_000_000));
    let ms = timeout.as_secs().saturating_mul(1_000).saturating_add(part);
    let units = [(1, 'm'), (1_000, 'S'), (60_000, 'M'), (3_600_000, 'H')];
    let mut values = units.iter().map(|(unit_ms, unit)| (ms.div_ceil(*unit_ms), unit));
    let (value, unit) = values.find(|(value, _)| *value <= MAX_VALUE)?;
    HeaderValue::try_from(format!("{value}{unit}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let cases = [
            ("2H", Duration::from_secs(7_200)),
            ("3M", Duration::from_secs(180)),
            ("4S", Duration::from_secs(4)),
            ("1500m", Duration::from_millis(1_500)),
            ("6u", Duration::from_micros(6)),
            ("0n", Duration::ZERO),
            ("99999999H", Duration::from_secs(99_999_999 * 3_600)),
        ];
        for (value, expected) in cases {
            assert_eq!(parse(value.as_bytes()), Ok(expected), "{value}");
        }
    }

    #[test]
    fn other_values_are_invalid() {
        let values =
            ["", "5", "m", "S5", "5s", "-5S", "+5S", "1.5S", "5 S", " 5S", "5SS", "0x5S", "100000000n"];
        for value in values {
            assert_eq!(parse(value.as_bytes()), Err(InvalidTimeout), "{value:?}");
        }
    }

    #[test]
    fn a_timeout_is_written_in_the_finest_unit_that_holds_it() {
        let cases = [
            (Duration::ZERO, "0m"),
            (Duration::from_nanos(1), "1m"),
            (Duration::from_millis(1_500), "1500m"),
            (Duration::from_millis(MAX_VALUE), "99999999m"),
            (Duration::from_millis(MAX_VALUE + 1), "100000S"),
            (Duration::from_secs(MAX_VALUE + 1), "1666667M"),
            (Duration::from_secs((MAX_VALUE + 1) * 60), "1666667H"),
        ];
        for (timeout, expected) in cases {
            assert_eq!(format(timeout).unwrap(), expected, "{timeout:?}");
        }
        assert_eq!(format(Duration::MAX), None);
    }
}
