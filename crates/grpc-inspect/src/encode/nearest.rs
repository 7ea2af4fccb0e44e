//! The known name that is most like an unknown one, as a hint.

use crate::pool::{Enum, Message};

/// Names that are looked at. Beyond them there is no hint, so that a large type does not cost much time.
const MOST_NAMES: usize = 1000;
/// Letters of a name that has a hint.
const MOST_LETTERS: usize = 100;

pub(super) fn field(message: Message<'_>, name: &str) -> Option<String> {
    let fields = message.fields().chain(message.extensions());
    nearest(name, fields.flat_map(|field| [field.json_name(), field.name()]))
}

pub(super) fn enum_value(descriptor: Enum<'_>, name: &str) -> Option<String> {
    nearest(name, descriptor.values().map(|value| value.name()))
}

/// The name with the fewest changes, if they are at most a third of the letters.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let letters: Vec<char> =
        name.chars().take(MOST_LETTERS + 1).map(|letter| letter.to_ascii_lowercase()).collect();
    if letters.len() > MOST_LETTERS {
        return None;
    }
    let short = known.take(MOST_NAMES).filter(|known| known.len() <= MOST_LETTERS);
    let scored = short.map(|known| (changes(&letters, known), known));
    let (changes, known) = scored.min_by_key(|(changes, _)| *changes)?;
    (changes <= letters.len().div_ceil(3)).then(|| known.to_owned())
}

/// Letters to insert, remove or replace (Levenshtein's distance), without regard to case.
fn changes(name: &[char], known: &str) -> usize {
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (line, letter) in known.chars().enumerate() {
        let letter = letter.to_ascii_lowercase();
        let mut diagonal = row[0];
        row[0] = line + 1;
        for column in 0..name.len() {
            let replaced = diagonal + usize::from(name[column] != letter);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_hint_if_it_is_near() {
        let known = ["roomId", "room_id", "operationId"];
        assert_eq!(nearest("roomid", known.into_iter()).as_deref(), Some("roomId"));
        assert_eq!(nearest("operatonId", known.into_iter()).as_deref(), Some("operationId"));
        assert_eq!(nearest("text", known.into_iter()), None);
        assert_eq!(nearest("x", [].into_iter()), None);
        assert_eq!(nearest(&"a".repeat(101), known.into_iter()), None);
    }
}
