//! Texts with arguments: `"{name}, {count} unread"`.

/// Begins a part whose direction is its own (Unicode's FIRST STRONG ISOLATE).
const ISOLATE: char = '\u{2068}';

/// Ends it (POP DIRECTIONAL ISOLATE).
const POP: char = '\u{2069}';

/// A template with its `{placeholders}` replaced. Those without an argument stay. An argument with letters of a right-to-left script is
/// isolated, so that it does not turn the sentence around it.
pub(crate) fn fill(template: &str, arguments: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let argument = after.split_once('}').and_then(|(name, after)| {
            let (_, value) = arguments.iter().find(|(known, _)| *known == name)?;
            Some((value, after))
        });
        match argument {
            Some((value, after)) => {
                let is_foreign = value.chars().any(is_right_to_left);
                filled.extend(is_foreign.then_some(ISOLATE));
                filled.push_str(value);
                filled.extend(is_foreign.then_some(POP));
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// Whether a letter is of Hebrew, Arabic or another right-to-left script.
fn is_right_to_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// The template for a count, with `{count}` replaced.
pub(crate) fn plural(count: u64, one: &str, other: &str) -> String {
    fill(if count == 1 { one } else { other }, &[("count", &count.to_string())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_not_filled_again() {
        let filled = fill("{room}, {count} unread", &[("room", "{count}"), ("count", "3")]);
        assert_eq!(filled, "{count}, 3 unread");
        assert_eq!(fill("{a} {unknown} {", &[("a", "1")]), "1 {unknown} {");
    }

    #[test]
    fn names_of_another_direction_are_isolated() {
        assert_eq!(fill("{name}: {count}", &[("name", "עדה"), ("count", "1")]), "\u{2068}עדה\u{2069}: 1");
    }

    #[test]
    fn one_and_many_have_their_own_templates() {
        assert_eq!(plural(1, "{count} call", "{count} calls"), "1 call");
        assert_eq!(plural(0, "{count} call", "{count} calls"), "0 calls");
    }
}
