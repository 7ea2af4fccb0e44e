//! The markers of list items.

/// Indentation of a line that belongs to the item above it.
pub(super) const MIN_INDENTATION: usize = 2;

/// Indentation of a marker at most. More belongs to the item above.
const MAX_MARKER_INDENTATION: usize = 3;

/// Digits of a number at most. Longer ones are more often years.
const MAX_DIGITS: usize = 3;

/// The marker that begins an item: a bullet or a number, and a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// The number; `None` for a bullet.
    pub(super) number: Option<u32>,
    /// Bytes of indentation, marker and space.
    pub(super) width: usize,
    indentation: usize,
}

impl Marker {
    /// The marker of a line.
    pub(super) fn of(line: &str) -> Option<Marker> {
        let indentation = indentation(line);
        let text = &line[indentation..];
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, length) = match text.chars().next()? {
            bullet @ ('-' | '*' | '+' | '•') => (None, bullet.len_utf8()),
            _ if (1..=MAX_DIGITS).contains(&digits) && text[digits..].starts_with(['.', ')']) => {
                (text[..digits].parse().ok(), digits + 1)
            }
            _ => return None,
        };
        let content = text[length..].strip_prefix([' ', '\t'])?;
        let is_marker = indentation <= MAX_MARKER_INDENTATION && !content.trim().is_empty();
        is_marker.then_some(Marker { number, width: indentation + length + 1, indentation })
    }

    /// Whether an item with this marker belongs to the list that `first` begins.
    pub(super) fn continues(&self, first: &Marker) -> bool {
        self.number.is_some() == first.number.is_some()
            && self.indentation < first.indentation + MIN_INDENTATION
    }
}

/// Bytes of white space at the start of a line.
pub(super) fn indentation(line: &str) -> usize {
    line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}
