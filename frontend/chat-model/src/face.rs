//! A person's face where there is no picture: initials, and a colour from the id.

use crate::letter::{has_case, is_alphanumeric};

/// Number of colours; `tokens.css` has as many.
pub const COLOURS: u32 = 8;

/// The first letters of the first and the last word of a name; of a name in a script without spaces only the first.
pub fn initials(name: &str) -> String {
    let first_letter = |word: &str| word.chars().find(|letter| is_alphanumeric(*letter));
    let mut letters = name.split_whitespace().filter_map(first_letter);
    let first = letters.next().or_else(|| name.chars().find(|letter| !letter.is_whitespace()));
    let last = letters.next_back().filter(|letter| has_case(*letter));
    first.into_iter().chain(last).collect()
}

/// The colour of an id, from 0. The same on every machine (FNV-1a).
pub fn colour(id: &str) -> u32 {
    let hash =
        id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // The low bits alone depend on the last bytes only.
    (hash ^ (hash >> 16)) % COLOURS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        assert_eq!(initials("Ada"), "A");
        assert_eq!(initials("ada king lovelace"), "al");
        assert_eq!(initials("王小明"), "王");
        assert_eq!(initials("王 小明"), "王");
        assert_eq!(initials("(Bob) 7th"), "B");
        assert_eq!(initials("🦀"), "🦀");
        assert_eq!(initials(""), "");
    }

    #[test]
    fn ids_share_the_colours_evenly() {
        let mut counts = [0; COLOURS as usize];
        for number in 0..8_000 {
            counts[colour(&format!("user-{number}")) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }
}
