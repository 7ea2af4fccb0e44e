//! The form fields of the Greeter's cards, and what they accept.

use leptos::{html, prelude::*};

use crate::i18n::{Messages, Text, fill, plural, text, use_messages};

/// The longest name that the server greets, in Unicode scalar values; see `helloworld.proto`.
const LONGEST_NAME: usize = proto::limits::greeter::MAX_NAME_CHARS;

/// Why an input is refused, before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is no whole number in this range.
    NotANumber { min: u32, max: u32 },
    /// An interval of 0 without a count would flood the page.
    IntervalNeedsCount,
    /// The name has so many characters.
    NameTooLong(usize),
}

impl Refused {
    fn sentence(self, m: &Messages) -> String {
        match self {
            Refused::NotANumber { min, max } => {
                fill(m.error_number, &[("min", &grouped(min)), ("max", &grouped(max))])
            }
            Refused::IntervalNeedsCount => m.error_interval_needs_count.to_owned(),
            Refused::NameTooLong(count) => plural(count as u64, m.error_name_long, m.error_name_long),
        }
    }
}

/// A whole number in a range, or nothing. Takes full-width digits, which Chinese input methods type.
pub(super) fn number(text: &str, min: u32, max: u32) -> Result<Option<u32>, Refused> {
    let refused = Refused::NotANumber { min, max };
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

/// A number with its thousands apart, as both languages write it.
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

/// A name that the server greets.
pub(super) fn name(text: &str) -> Result<String, Refused> {
    let count = text.chars().count();
    if count > LONGEST_NAME { Err(Refused::NameTooLong(count)) } else { Ok(text.to_owned()) }
}

/// An input with what it holds and why that is refused.
#[derive(Clone, Copy)]
pub(super) struct Field {
    text: RwSignal<String>,
    refused: RwSignal<Option<Refused>>,
    input: NodeRef<html::Input>,
}

impl Field {
    pub(super) fn new(text: &str) -> Field {
        Field { text: RwSignal::new(text.to_owned()), refused: RwSignal::new(None), input: NodeRef::new() }
    }

    /// Reads the input. When it is refused, it says so and takes the focus.
    pub(super) fn read<T>(self, parse: impl FnOnce(&str) -> Result<T, Refused>) -> Option<T> {
        let result = self.text.with_untracked(|text| parse(text));
        self.refused.set(result.as_ref().err().copied());
        if result.is_err() {
            self.focus();
        }
        result.ok()
    }

    /// Refuses the input for a reason that it alone does not show.
    pub(super) fn refuse(self, reason: Refused) {
        self.refused.set(Some(reason));
        self.focus();
    }

    fn focus(self) {
        if let Some(input) = self.input.get_untracked() {
            // An input in the page takes the focus.
            input.focus().ok();
        }
    }
}

/// A labelled input, its hint, and why it is refused.
#[component]
pub(super) fn TextField(
    /// Unique in the page.
    id: &'static str,
    /// What it holds.
    field: Field,
    /// Its label.
    label: Text,
    /// What may be entered.
    #[prop(optional)]
    hint: Option<Text>,
    /// Whether it takes a number.
    #[prop(optional)]
    numeric: bool,
) -> impl IntoView {
    let m = use_messages();
    let hint_id = [id, "-hint"].concat();
    let error_id = [id, "-error"].concat();
    let described_by = match hint {
        Some(_) => [&error_id, " ", &hint_id].concat(),
        None => error_id.clone(),
    };
    let error = Signal::derive(move || field.refused.get().map(|refused| refused.sentence(m.get())));
    view! {
        <div class="field">
            <label class="field__label" for=id>{text(label)}</label>
            <input
                class="field__input"
                type="text"
                id=id
                inputmode=numeric.then_some("numeric")
                autocomplete="off"
                spellcheck="false"
                node_ref=field.input
                aria-invalid=Signal::derive(move || field.refused.get().is_some().then_some("true"))
                aria-describedby=described_by
                prop:value=field.text
                on:input:target=move |event| {
                    field.text.set(event.target().value());
                    field.refused.set(None);
                }
            />
            <p class="field__error" id=error_id>{error}</p>
            {hint.map(|hint| view! { <p class="field__hint" id=hint_id>{text(hint)}</p> })}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_in_range_are_taken() {
        assert_eq!(number("", 1, 9), Ok(None));
        assert_eq!(number("  ", 1, 9), Ok(None));
        assert_eq!(number(" 7 ", 1, 9), Ok(Some(7)));
        assert_eq!(number("０", 0, 60_000), Ok(Some(0)));
        assert_eq!(number("１００", 1, 100_000), Ok(Some(100)));
    }

    #[test]
    fn everything_else_is_refused_with_the_range() {
        for text in ["0", "10", "-1", "+1", "1.5", "1e3", "soon", "1 000", "99999999999"] {
            assert_eq!(number(text, 1, 9), Err(Refused::NotANumber { min: 1, max: 9 }), "{text}");
        }
    }

    #[test]
    fn a_name_is_counted_in_characters() {
        assert_eq!(name("").as_deref(), Ok(""));
        assert!(name(&"房".repeat(1_000)).is_ok());
        assert_eq!(name(&"房".repeat(1_001)), Err(Refused::NameTooLong(1_001)));
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(60_000), "60,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn a_refusal_says_the_range() {
        let refused = number("soon", 1, 3_600_000).unwrap_err();
        let english = crate::i18n::Language::English.messages();
        assert_eq!(refused.sentence(english), "Enter a whole number from 1 to 3,600,000, or leave it empty.");
    }
}
