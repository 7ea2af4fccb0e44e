//! Texts with arguments: `"{name}, {count} unread"`.

/// A template with its `{placeholders}` replaced. Those without an argument stay.
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
                filled.push_str(value);
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
    fn one_and_many_have_their_own_templates() {
        assert_eq!(plural(1, "{count} call", "{count} calls"), "1 call");
        assert_eq!(plural(0, "{count} call", "{count} calls"), "0 calls");
    }
}
