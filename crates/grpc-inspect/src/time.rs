//! `Timestamp`, `Duration` and `FieldMask` as the strings that JSON has for them. Knows no bytes.

/// Seconds of the first moment of year 1 and the last one of year 9999, the range of a `Timestamp`.
const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// The greatest number of seconds of a `Duration`.
const MAX_DURATION_SECONDS: i64 = 315_576_000_000;
const NANOS_PER_SECOND: i32 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// `2026-11-27T10:00:00.5Z`, or none out of the range.
pub(crate) fn timestamp_text(seconds: i64, nanos: i32) -> Option<String> {
    if !TIMESTAMP_SECONDS.contains(&seconds) || !(0..NANOS_PER_SECOND).contains(&nanos) {
        return None;
    }
    let (year, month, day) = date_of_days(seconds.div_euclid(SECONDS_PER_DAY));
    let second = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = fraction_text(nanos.unsigned_abs());
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z"))
}

/// Seconds and nanoseconds of a time in the format of RFC 3339, with any offset.
pub(crate) fn parse_timestamp(text: &str) -> Option<(i64, i32)> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix('T')?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let is_valid = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
    if !is_valid || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let zone_start = rest.find(['Z', '+', '-'])?;
    let (fraction, zone) = rest.split_at(zone_start);
    let nanos = match fraction {
        "" => 0,
        fraction => parse_fraction(fraction.strip_prefix('.')?)?,
    };
    let seconds = days_of_date(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    let seconds = seconds - parse_zone(zone)?;
    TIMESTAMP_SECONDS.contains(&seconds).then_some((seconds, nanos))
}

/// `-1.500s`, or none out of the range.
pub(crate) fn duration_text(seconds: i64, nanos: i32) -> Option<String> {
    let is_in_range = seconds.unsigned_abs() <= MAX_DURATION_SECONDS.unsigned_abs()
        && nanos.unsigned_abs() < NANOS_PER_SECOND.unsigned_abs();
    let has_one_sign = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let fraction = fraction_text(nanos.unsigned_abs());
    (is_in_range && has_one_sign).then(|| format!("{sign}{}{fraction}s", seconds.unsigned_abs()))
}

/// Seconds and nanoseconds of `-1.5s`.
pub(crate) fn parse_duration(text: &str) -> Option<(i64, i32)> {
    let number = text.strip_suffix('s')?;
    let (is_negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let (whole, nanos) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, parse_fraction(fraction)?),
        None => (number, 0),
    };
    let seconds = digits(whole)?;
    let is_in_range = seconds < MAX_DURATION_SECONDS || (seconds == MAX_DURATION_SECONDS && nanos == 0);
    let sign = if is_negative { -1 } else { 1 };
    is_in_range.then_some((seconds * sign, nanos * sign as i32))
}

/// A path of a `FieldMask` in JSON: `foo_bar.baz` is `fooBar.baz`. None where the way back would lead elsewhere.
pub(crate) fn mask_path_to_json(path: &str) -> Option<String> {
    let mut json = String::with_capacity(path.len());
    let mut is_after_underscore = false;
    for letter in path.chars() {
        match letter {
            _ if is_after_underscore && !letter.is_ascii_lowercase() => return None,
            '_' => is_after_underscore = true,
            'A'..='Z' | ',' => return None,
            letter if is_after_underscore => {
                json.push(letter.to_ascii_uppercase());
                is_after_underscore = false;
            }
            letter => json.push(letter),
        }
    }
    (!is_after_underscore).then_some(json)
}

/// The path of a `FieldMask` for `fooBar.baz`: `foo_bar.baz`.
pub(crate) fn mask_path_of_json(json: &str) -> Option<String> {
    let mut path = String::with_capacity(json.len() + 4);
    for letter in json.chars() {
        match letter {
            'A'..='Z' => {
                path.push('_');
                path.push(letter.to_ascii_lowercase());
            }
            'a'..='z' | '0'..='9' | '.' => path.push(letter),
            _ => return None,
        }
    }
    (!path.is_empty()).then_some(path)
}

/// Nothing, or a point and three, six or nine digits.
fn fraction_text(nanos: u32) -> String {
    match nanos {
        0 => String::new(),
        nanos if nanos.is_multiple_of(1_000_000) => format!(".{:03}", nanos / 1_000_000),
        nanos if nanos.is_multiple_of(1000) => format!(".{:06}", nanos / 1000),
        nanos => format!(".{nanos:09}"),
    }
}

/// Nanoseconds of one to nine digits behind the point.
fn parse_fraction(fraction: &str) -> Option<i32> {
    let missing = 9_usize.checked_sub(fraction.len())?;
    let value = digits(fraction)?;
    i32::try_from(value * 10_i64.pow(missing as u32)).ok()
}

/// Seconds that a zone is ahead of UTC.
fn parse_zone(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes() {
        b"Z" => return Some(0),
        [b'+', ..] => 1,
        _ => -1,
    };
    let [hours, minutes] = numbers(&zone[1..], ':', [2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Numbers with fixed counts of digits, separated.
fn numbers<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next().filter(|part| part.len() == length)?;
        *number = digits(part)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// A number of digits alone, without a sign.
fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Year, month and day of the days since 1970-01-01, by [Hinnant's algorithm](https://howardhinnant.github.io/date_algorithms.html).
fn date_of_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`date_of_days`].
fn days_of_date(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_as_they_are_written() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2000-02-29T23:59:59.001Z", 951_868_799, 1_000_000),
            ("1969-12-31T23:59:59.999999999Z", -1, 999_999_999),
            ("0001-01-01T00:00:00Z", *TIMESTAMP_SECONDS.start(), 0),
            ("9999-12-31T23:59:59.000001Z", *TIMESTAMP_SECONDS.end(), 1000),
        ] {
            assert_eq!(timestamp_text(seconds, nanos).as_deref(), Some(text));
            assert_eq!(parse_timestamp(text), Some((seconds, nanos)), "{text}");
        }
        assert_eq!(parse_timestamp("1970-01-01T01:30:00.5+01:30"), Some((0, 500_000_000)));
        assert_eq!(timestamp_text(TIMESTAMP_SECONDS.end() + 1, 0), None);
        assert_eq!(timestamp_text(0, -1), None);
    }

    #[test]
    fn wrong_timestamps_are_refused() {
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01t00:00:00Z",
            "1970-01-01T00:00:00z",
            "1970-02-29T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.1234567890Z",
            "0001-01-01T00:00:00+00:01",
            "1970-01-01T00:00:00+1:00",
            "1970-01-01T00:00:0é",
            "+970-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_they_are_written() {
        for (text, seconds, nanos) in [
            ("0s", 0, 0),
            ("1.500s", 1, 500_000_000),
            ("-0.000001s", 0, -1000),
            ("-315576000000s", -315_576_000_000, 0),
        ] {
            assert_eq!(duration_text(seconds, nanos).as_deref(), Some(text));
            assert_eq!(parse_duration(text), Some((seconds, nanos)));
        }
        assert_eq!(duration_text(1, -1), None);
        for text in ["1", "s", "1.s", ".5s", "+1s", "1e3s", "315576000001s", "1.0000000001s", "--1s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn paths_of_masks_are_camel_case_in_json() {
        for (path, json) in [("foo_bar.baz", "fooBar.baz"), ("a", "a"), ("a_b_c", "aBC")] {
            assert_eq!(mask_path_to_json(path).as_deref(), Some(json));
            assert_eq!(mask_path_of_json(json).as_deref(), Some(path));
        }
        for path in ["a__b", "a_", "a_1", "aB"] {
            assert_eq!(mask_path_to_json(path), None, "{path}");
        }
        assert_eq!(mask_path_of_json("foo_bar"), None);
    }
}
