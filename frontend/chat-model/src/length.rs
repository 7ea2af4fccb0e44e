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

/// The part of a text that is sent: without blank lines around it, and without control characters, which the server refuses and
/// slides and terminals put on the clipboard. `None` when nothing is left, or too much.
pub fn text_to_send(text: &str) -> Option<String> {
    if matches!(LengthBudget::of(text), LengthBudget::Over(_)) {
        return None;
    }
    let mut previous = '\0';
    // `\r\n` is one line break.
    let letters =
        text.chars().filter(|letter| (std::mem::replace(&mut previous, *letter), *letter) != ('\r', '\n'));
    let text: String = letters.filter_map(sent_as).collect();
    let text = text.trim_matches('\n').trim_end();
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// The character that is sent in place of another. All kinds of line breaks become one; other control characters are dropped.
fn sent_as(letter: char) -> Option<char> {
    match letter {
        '\n' | '\t' => Some(letter),
        '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        letter => (!letter.is_control()).then_some(letter),
    }
}

/// A text as a quotation, with a blank line after it.
pub fn quotation(text: &str) -> String {
    let mut quotation = String::with_capacity(text.len() + 8);
    for line in text.lines() {
        quotation.push_str(if line.is_empty() { ">" } else { "> " });
        quotation.push_str(line);
        quotation.push('\n');
    }
    quotation.push('\n');
    quotation
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
    fn every_line_is_quoted() {
        assert_eq!(quotation("a\n\nb"), "> a\n>\n> b\n\n");
    }

    #[test]
    fn blank_lines_around_a_text_and_blank_texts_are_not_sent() {
        assert_eq!(text_to_send("\n\n  a\n b  \n\n").as_deref(), Some("  a\n b"));
        assert_eq!(text_to_send("hello").as_deref(), Some("hello"));
        assert_eq!(text_to_send(" \n\t "), None);
        assert_eq!(text_to_send(""), None);
    }
    #[test]
    fn control_characters_become_line_breaks_or_are_dropped() {
        for line_break in ["\r\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"] {
            let text = ["a", line_break, "b"].concat();
            assert_eq!(text_to_send(&text).as_deref(), Some("a\nb"), "{line_break:?}");
        }
        assert_eq!(text_to_send("a\0\u{7}\u{1b}[31m\u{7f}\u{9b}\tb").as_deref(), Some("a[31m\tb"));
        assert_eq!(text_to_send("\u{b}\0"), None);
    }
}
