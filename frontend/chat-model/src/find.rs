//! Finding a short text in another one. Rust's own search is for long ones, and larger.

/// The place of the first `part`, which is not empty, in `text`.
pub fn find(text: &str, part: &str) -> Option<usize> {
    text.as_bytes().windows(part.len()).position(|window| window == part.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_is_found() {
        assert_eq!(find("a](b](c", "]("), Some(1));
        assert_eq!(find("https://é", "://"), Some(5));
        assert_eq!(find("[a] (b)", "]("), None);
        assert_eq!(find("", ".."), None);
    }
}
