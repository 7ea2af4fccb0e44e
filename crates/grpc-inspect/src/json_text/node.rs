//! A parsed JSON text: values with their places in it.

use std::ops::Range;

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    /// The bytes of the text that are the value.
    pub(crate) range: Range<usize>,
    pub(crate) value: Value,
}

/// A value. A number is its text, so that no digit is lost.
#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number,
    String(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    /// The start of the key, with its quotes.
    pub(crate) key_start: usize,
    pub(crate) node: Node,
}
