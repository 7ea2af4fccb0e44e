//! Comments of `.proto` files as paragraphs. Knows no document.

/// The comment without the line breaks inside of its paragraphs: they are where the file's margin was. Blank lines, lists and indented lines
/// keep theirs.
pub(super) fn paragraphs(comment: &str) -> String {
    let mut text = String::with_capacity(comment.len());
    let mut lines = comment.trim().lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    text.extend(lines.next().map(str::trim_start));
    for line in lines {
        let stands_alone = line.is_empty() || text.ends_with('\n') || begins_with_mark(line);
        text.push(if stands_alone { '\n' } else { ' ' });
        text.push_str(line);
    }
    text
}

/// Whether a line is indented, or an item of a list.
fn begins_with_mark(line: &str) -> bool {
    let is_number = || {
        let rest = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
        rest.len() < line.len() && (rest.starts_with(". ") || rest.starts_with(") "))
    };
    line.starts_with([' ', '\t', '|'])
        || ["- ", "* ", "+ "].iter().any(|mark| line.starts_with(mark))
        || is_number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_paragraph_are_joined() {
        assert_eq!(
            paragraphs(" One name, a greeting at once and then one\n per interval.\n"),
            "One name, a greeting at once and then one per interval."
        );
        assert_eq!(paragraphs(" First.\n\n Second\n goes on."), "First.\n\nSecond goes on.");
    }

    #[test]
    fn lists_and_indented_lines_stay() {
        let comment = " Keys:\n - one\n - two\n   x-count  how many\n 1. first\n 2020 was a year";
        assert_eq!(paragraphs(comment), "Keys:\n- one\n- two\n  x-count  how many\n1. first 2020 was a year");
        assert_eq!(paragraphs(""), "");
    }
}
