//! The text of a new message: its limit, and the part of it that is sent.

/// Longest text, in Unicode scalar values; see `SendMessageRequest.text`.
const TEXT_MAX: usize = proto::limits::chat::MAX_MESSAGE_CHARS;

/// Characters left below which they are counted down.
const COUNTDOWN: usize = 200;

/// Characters that are left for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthBudget {
    /// More than need be counted.
    Plenty,
    /// So many are left.
    Left(usize),
    /// So many are too many.
    Over(usize),
}

impl LengthBudget {
    /// The budget of a text.
    pub fn of(text: &str) -> LengthBudget {
        // Every scalar value has at least a byte, so most texts need no counting.
        if text.len() <= TEXT_MAX - COUNTDOWN {
            return LengthBudget::Plenty;
        }
        match text.chars().count() {
            length if length > TEXT_MAX => LengthBudget::Over(length - TEXT_MAX),
            length if length > TEXT_MAX - COUNTDOWN => LengthBudget::Left(TEXT_MAX - length),
            _ => LengthBudget::Plenty,
        }
    }
}

/// The part of a text that is sent: without blank lines around it. `None` when nothing is left, or too much.
pub fn text_to_send(text: &str) -> Option<&str> {
    if matches!(LengthBudget::of(text), LengthBudget::Over(_)) {
        return None;
    }
    let text = text.trim_matches(['\n', '\r']).trim_end();
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_near_the_limit_only() {
        assert_eq!(LengthBudget::of(""), LengthBudget::Plenty);
        assert_eq!(LengthBudget::of(&"é".repeat(3_800)), LengthBudget::Plenty);
        assert_eq!(LengthBudget::of(&"é".repeat(3_801)), LengthBudget::Left(199));
        assert_eq!(LengthBudget::of(&"🦀".repeat(4_000)), LengthBudget::Left(0));
        assert_eq!(LengthBudget::of(&"🦀".repeat(4_001)), LengthBudget::Over(1));
    }

    #[test]
    fn blank_lines_around_a_text_and_blank_texts_are_not_sent() {
        assert_eq!(text_to_send("\n\n  a\n b  \n\n"), Some("  a\n b"));
        assert_eq!(text_to_send("hello"), Some("hello"));
        assert_eq!(text_to_send(" \n\t "), None);
        assert_eq!(text_to_send(""), None);
    }
}
