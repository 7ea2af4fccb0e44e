//! Messages of emoji alone, which are shown large.

/// Emoji in a message that is shown large, at most.
const MAX_EMOJI: usize = 6;

/// Whether a text is a few emoji and white space, and nothing else.
pub fn is_emoji_only(text: &str) -> bool {
    let mut count = 0;
    let mut is_joined = false;
    let mut regions = 0;
    let mut letters = text.chars().filter(|letter| !letter.is_whitespace()).peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // Joiner, variation selector, skin tones and tags belong to the emoji before.
            '\u{200d}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}' if count > 0 => {
                is_joined = letter == '\u{200d}';
                continue;
            }
            // Two regional indicators are one flag.
            '\u{1f1e6}'..='\u{1f1ff}' => {
                regions += 1;
                count += regions % 2;
            }
            _ if is_emoji(letter) || letters.peek() == Some(&'\u{fe0f}') && is_symbol(letter) => {
                count += usize::from(!is_joined);
            }
            _ => return false,
        }
        is_joined = false;
    }
    (1..=MAX_EMOJI).contains(&count)
}

/// Whether a character is drawn as an emoji without a variation selector (Unicode's `Emoji_Presentation`, by blocks).
fn is_emoji(letter: char) -> bool {
    matches!(letter,
        '\u{1f004}' | '\u{1f0cf}' | '\u{1f18e}' | '\u{1f191}'..='\u{1f19a}' | '\u{1f201}'..='\u{1f251}'
        | '\u{1f300}'..='\u{1f64f}' | '\u{1f680}'..='\u{1f6ff}' | '\u{1f7e0}'..='\u{1f7f0}'
        | '\u{1f900}'..='\u{1faff}'
        | '\u{231a}' | '\u{231b}' | '\u{23e9}'..='\u{23ec}' | '\u{23f0}' | '\u{23f3}' | '\u{25fd}' | '\u{25fe}'
        | '\u{2614}' | '\u{2615}' | '\u{2648}'..='\u{2653}' | '\u{267f}' | '\u{2693}' | '\u{26a1}' | '\u{26aa}'
        | '\u{26ab}' | '\u{26bd}' | '\u{26be}' | '\u{26c4}' | '\u{26c5}' | '\u{26ce}' | '\u{26d4}' | '\u{26ea}'
        | '\u{26f2}' | '\u{26f3}' | '\u{26f5}' | '\u{26fa}' | '\u{26fd}' | '\u{2705}' | '\u{270a}' | '\u{270b}'
        | '\u{2728}' | '\u{274c}' | '\u{274e}' | '\u{2753}'..='\u{2755}' | '\u{2757}' | '\u{2795}'..='\u{2797}'
        | '\u{27b0}' | '\u{27bf}' | '\u{2b1b}' | '\u{2b1c}' | '\u{2b50}' | '\u{2b55}')
}

/// Whether a character is one that a variation selector makes an emoji; letters and digits are not.
fn is_symbol(letter: char) -> bool {
    matches!(letter, '\u{203c}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_emoji_alone_are_recognised() {
        for text in ["👍", "❤️", "👩‍💻", "👨‍👩‍👧‍👦 🎉", "🇩🇪🇨🇳", "👋🏽", "✅", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🎉🎉🎉🎉🎉🎉"]
        {
            assert!(is_emoji_only(text), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_large() {
        for text in ["", " ", "a", "1", "👍 ok", "→", "✓", "(👍)", "1️⃣2", "中", "🎉🎉🎉🎉🎉🎉🎉", "\u{fe0f}"]
        {
            assert!(!is_emoji_only(text), "{text}");
        }
    }
}
