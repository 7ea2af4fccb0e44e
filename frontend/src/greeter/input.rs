//! The values that the Greeter's cards take.

use std::time::Duration;

use crate::i18n::{Messages, fill, plural};

/// Longest deadline, in milliseconds: an hour.
const MAX_DEADLINE_MS: u32 = 3_600_000;

/// Longest name that the server greets, in Unicode scalar values; see `helloworld.proto`.
const MAX_NAME_CHARS: usize = proto::limits::greeter::MAX_NAME_CHARS;

/// Why a value is refused before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidInput {
    /// It is not an integer in this range.
    NotANumber { min: u32, max: u32 },
    /// An interval of 0 without a count, which would flood the page.
    IntervalNeedsCount,
    /// There is no name.
    NameEmpty,
    /// The name is too long: its number of characters.
    NameTooLong(usize),
}

impl InvalidInput {
    pub(crate) fn sentence(self, m: &Messages) -> String {
        match self {
            InvalidInput::NotANumber { min, max } => {
                fill(m.error_number, &[("min", &grouped(min)), ("max", &grouped(max))])
            }
            InvalidInput::IntervalNeedsCount => m.error_interval_needs_count.to_owned(),
            InvalidInput::NameEmpty => m.name_empty.to_owned(),
            InvalidInput::NameTooLong(count) => plural(count as u64, m.error_name_long, m.error_name_long),
        }
    }
}

/// Parses an optional integer in a range. Full-width digits, which Chinese input methods type, count as digits.
pub(super) fn number(text: &str, min: u32, max: u32) -> Result<Option<u32>, InvalidInput> {
    let refused = InvalidInput::NotANumber { min, max };
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let digits: Option<String> = text
        .chars()
        .map(|letter| match letter {
            '0'..='9' => Some(letter),
            '０'..='９' => char::from_digit(u32::from(letter) - u32::from('０'), 10),
            _ => None,
        })
        .collect();
    let value: u32 = digits.ok_or(refused)?.parse().map_err(|_| refused)?;
    if (min..=max).contains(&value) { Ok(Some(value)) } else { Err(refused) }
}

/// Parses an optional deadline in milliseconds.
pub(crate) fn deadline(text: &str) -> Result<Option<Duration>, InvalidInput> {
    Ok(number(text, 1, MAX_DEADLINE_MS)?.map(|ms| Duration::from_millis(ms.into())))
}

/// A number with separated thousands, as both languages write it. `Intl` would do the same, and does not exist on the host.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Parses a name that the server greets.
pub(super) fn name(text: &str) -> Result<String, InvalidInput> {
    match text.chars().count() {
        _ if text.trim().is_empty() => Err(InvalidInput::NameEmpty),
        count if count > MAX_NAME_CHARS => Err(InvalidInput::NameTooLong(count)),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_in_range_are_valid() {
        assert_eq!(number("", 1, 9), Ok(None));
        assert_eq!(number("  ", 1, 9), Ok(None));
        assert_eq!(number(" 7 ", 1, 9), Ok(Some(7)));
        assert_eq!(number("０", 0, 60_000), Ok(Some(0)));
        assert_eq!(number("１００", 1, 100_000), Ok(Some(100)));
    }

    #[test]
    fn other_input_is_refused_with_the_range() {
        for text in ["0", "10", "-1", "+1", "1.5", "1e3", "soon", "1 000", "99999999999"] {
            assert_eq!(number(text, 1, 9), Err(InvalidInput::NotANumber { min: 1, max: 9 }), "{text}");
        }
    }

    #[test]
    fn name_length_is_counted_in_characters() {
        assert_eq!(name(" "), Err(InvalidInput::NameEmpty));
        assert!(name(&"房".repeat(1_000)).is_ok());
        assert_eq!(name(&"房".repeat(1_001)), Err(InvalidInput::NameTooLong(1_001)));
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(60_000), "60,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn a_refusal_names_the_range() {
        let refused = number("soon", 1, 3_600_000).unwrap_err();
        let english = crate::i18n::Language::English.messages();
        assert_eq!(refused.sentence(english), "Enter a whole number, 1 to 3,600,000.");
    }
}
