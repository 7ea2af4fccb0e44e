//! Paths of values in a JSON text: `$.items[3].price`, `$.labels["a b"]`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The way from the outermost value to one inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(pub Vec<Step>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The member of an object that has this key.
    Key(String),
    /// The member of an object that is a field of a message, under either of its names.
    Field {
        /// The name in JSON. A new member gets this one.
        json_name: String,
        /// The name in the .proto file.
        name: String,
    },
    /// An item of a list, from 0. The length of the list is the place behind its last item.
    Item(usize),
}

impl Step {
    /// Whether the step leads to the member with this key.
    pub(super) fn is_key(&self, key: &str) -> bool {
        match self {
            Step::Key(own) => own == key,
            Step::Field { json_name, name } => json_name == key || name == key,
            Step::Item(_) => false,
        }
    }
}

impl Path {
    /// The outermost value, `$`.
    pub fn root() -> Path {
        Path::default()
    }

    /// The path with one more step.
    #[must_use]
    pub fn then(&self, step: Step) -> Path {
        let mut steps = self.0.clone();
        steps.push(step);
        Path(steps)
    }

    /// The path with the step to a member.
    #[must_use]
    pub fn key(&self, key: &str) -> Path {
        self.then(Step::Key(key.to_owned()))
    }

    /// The path with the step to an item.
    #[must_use]
    pub fn item(&self, index: usize) -> Path {
        self.then(Step::Item(index))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        self.0.iter().try_for_each(|step| step.fmt(f))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Key(key) | Step::Field { json_name: key, .. } if is_plain(key) => write!(f, ".{key}"),
            Step::Key(key) | Step::Field { json_name: key, .. } => {
                let mut json = crate::json_writer::JsonWriter::new(false);
                json.string(key);
                write!(f, "[{}]", json.finish())
            }
            Step::Item(index) => write!(f, "[{index}]"),
        }
    }
}

/// Whether a key needs no quotes in a path.
fn is_plain(key: &str) -> bool {
    let mut letters = key.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

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
        let (key, length) = super::parser::string_at_start(inside)?;
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
