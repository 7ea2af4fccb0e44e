//! Parts of the page by role and accessible name, within another part where a name is not unique.

use std::fmt;

use serde::Serialize;

/// A part of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// From the outermost to the part itself.
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Step {
    role: String,
    /// `None` matches any name.
    name: Option<String>,
    /// Whether `name` is only the beginning.
    prefix: bool,
}

/// The part with this role and exactly this name.
pub fn part(role: &str, name: &str) -> Part {
    Part { steps: vec![Step { role: role.to_owned(), name: Some(name.to_owned()), prefix: false }] }
}

/// The parts with this role and any name.
pub fn any(role: &str) -> Part {
    Part { steps: vec![Step { role: role.to_owned(), name: None, prefix: false }] }
}

/// The parts with this role whose name begins with `name`.
pub fn beginning(role: &str, name: &str) -> Part {
    Part { steps: vec![Step { role: role.to_owned(), name: Some(name.to_owned()), prefix: true }] }
}

impl Part {
    /// This part, inside `outer`.
    pub fn within(mut self, outer: &Part) -> Part {
        self.steps.splice(0..0, outer.steps.iter().cloned());
        self
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().rev().enumerate() {
            let within = if index == 0 { "" } else { " in " };
            match &step.name {
                Some(name) => write!(f, "{within}{} {name:?}", step.role)?,
                None => write!(f, "{within}a {}", step.role)?,
            }
        }
        Ok(())
    }
}
