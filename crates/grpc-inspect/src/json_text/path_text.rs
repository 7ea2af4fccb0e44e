//! Reads a path from its text.

use std::str::FromStr;

use thiserror::Error;

use super::parser::string_at_start;
use super::path::{Path, Step, is_plain};

/// A text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no path: byte {offset} begins no step; a path is as in $.items[3][\"a b\"]")]
pub struct PathError {
    /// Offset of the step in the text, in bytes.
    pub offset: usize,
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Path, PathError> {
        let mut rest = text.strip_prefix('$').ok_or(PathError { offset: 0 })?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let error = PathError { offset: text.len() - rest.len() };
            let (step, length) = step(rest).ok_or(error)?;
            steps.push(step);
            rest = &rest[length..];
        }
        Ok(Path(steps))
    }
}

/// The first step of `text`, and its length in bytes.
fn step(text: &str) -> Option<(Step, usize)> {
    if let Some(name) = text.strip_prefix('.') {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let key = &name[..end];
        return is_plain(key).then(|| (Step::Key(key.to_owned()), end + 1));
    }
    let inside = text.strip_prefix('[')?;
    if inside.starts_with('"') {
        let (key, length) = string_at_start(inside)?;
        return inside[length..].starts_with(']').then(|| (Step::Key(key), length + 2));
    }
    let (index, _) = inside.split_once(']')?;
    let is_number = index.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(())?;
    Some((Step::Item(index.parse().ok()?), index.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_it_is_written() {
        let path = Path::root().key("items").item(3).key("a b\"c").key("price");
        let text = r#"$.items[3]["a b\"c"].price"#;
        assert_eq!(path.to_string(), text);
        assert_eq!(text.parse(), Ok(path));
        assert_eq!("$".parse(), Ok(Path::root()));
    }

    #[test]
    fn a_wrong_path_is_an_error_with_its_place() {
        for (text, offset) in [
            ("", 0),
            ("a", 0),
            ("$a", 1),
            ("$.a.", 3),
            ("$.a[x]", 3),
            ("$[\"a]", 1),
            ("$[1", 1),
            ("$[+1]", 1),
        ] {
            assert_eq!(text.parse::<Path>(), Err(PathError { offset }), "{text}");
        }
    }
}
