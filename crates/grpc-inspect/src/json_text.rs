//! JSON as a text that people edit: values with their places, errors with line, column and path, changes that keep the rest of the text.
//!
//! `serde_json` does not give the place of a value, which both the errors of a well-formed text and the changes need. Knows no descriptor.

mod edit;
mod error;
mod node;
mod parser;
mod path;
mod path_text;

pub use edit::{Content, content_at, remove_value, set_value, value_at};
pub use error::{Due, Expected, JsonError, JsonErrorKind};
pub use parser::MAX_NESTING;
pub use path::{Path, Step};
pub use path_text::PathError;

pub(crate) use node::{Member, Node, Value};
pub(crate) use parser::parse;
