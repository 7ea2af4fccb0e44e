//! Paths of values in a JSON text: `$.items[3].price`, `$.labels["a b"]`.

use std::fmt;

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
pub(super) fn is_plain(key: &str) -> bool {
    let mut letters = key.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
