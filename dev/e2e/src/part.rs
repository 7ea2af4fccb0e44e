//! How a part of the page is named: by role and accessible name, inside another part where one name
//! stands twice.

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
    /// None: whatever its name.
    name: Option<String>,
    /// Whether the name only has to begin so.
    prefix: bool,
}

/// The part of this role and exactly this name.
pub fn part(role: &str, name: &str) -> Part {
    Part { steps: vec![Step { role: role.to_owned(), name: Some(name.to_owned()), prefix: false }] }
}

/// The parts of this role, whatever their names.
pub fn any(role: &str) -> Part {
    Part { steps: vec![Step { role: role.to_owned(), name: None, prefix: false }] }
}

/// The parts of this role whose name begins so.
pub fn beginning(role: &str, name: &str) -> Part {
    Part { steps: vec![Step { role: role.to_owned(), name: Some(name.to_owned()), prefix: true }] }
}

impl Part {
    /// This part, somewhere inside `outer`.
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
