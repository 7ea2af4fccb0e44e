//! Reads and changes one value of a JSON text, and keeps the rest of the text as it is.

use std::ops::Range;

use super::error::{JsonError, JsonErrorKind};
use super::node::{Node, Value};
use super::parser::parse;
use super::path::{Path, Step};
use crate::json_writer::JsonWriter;

/// The content of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A string without quotes and escapes.
    String(String),
    /// The number of items of a list.
    Items(usize),
    /// The keys of an object, in their order.
    Keys(Vec<String>),
}

/// The text of the value at a path, or none if there is no value.
///
/// # Errors
///
/// The text is not well-formed.
pub fn value_at<'a>(text: &'a str, path: &Path) -> Result<Option<&'a str>, JsonError> {
    let root = parse(text)?;
    Ok(find(&root, &path.0).map(|node| &text[node.range.clone()]))
}

/// The content of the value at a path, or none if there is no value.
///
/// # Errors
///
/// The text is not well-formed.
pub fn content_at(text: &str, path: &Path) -> Result<Option<Content>, JsonError> {
    let root = parse(text)?;
    Ok(find(&root, &path.0).map(|node| match &node.value {
        Value::Null => Content::Null,
        Value::Bool(value) => Content::Bool(*value),
        Value::Number => Content::Number(text[node.range.clone()].to_owned()),
        Value::String(value) => Content::String(value.clone()),
        Value::List(items) => Content::Items(items.len()),
        Value::Object(members) => Content::Keys(members.iter().map(|member| member.key.clone()).collect()),
    }))
}

/// The text with `value`, itself a JSON text, at a path. What is missing on the way is added: objects for keys, lists for item 0.
/// A text without any value is taken for `{}`. `null` on the way is replaced.
///
/// # Errors
///
/// The text or the value is not well-formed, or the path goes through a value that has no such part, or beyond the end of a list.
pub fn set_value(text: &str, path: &Path, value: &str) -> Result<String, JsonError> {
    parse(value)?;
    let value = value.trim_matches([' ', '\t', '\n', '\r']);
    let text = if text.trim().is_empty() { "{}" } else { text };
    let root = parse(text)?;
    let (node, taken) = walk(&root, &path.0);
    let missing = &path.0[taken..];
    let place = Place { text, node, is_indented: text.contains('\n') || text.len() == 2 };
    let (range, new) = match missing {
        [] => (node.range.clone(), indent_lines(value, &place.indent())),
        missing => place.insert(missing, value).ok_or_else(|| {
            let part = missing[0].to_string();
            let path = Path(path.0[..taken].to_vec());
            JsonError::new(text, node.range.start, path, JsonErrorKind::NoSuchPart(part))
        })?,
    };
    Ok(replaced(text, range, &new))
}

/// The text without the member or item at a path. Without such a value, and at `$`, the text stays as it is.
///
/// # Errors
///
/// The text is not well-formed.
pub fn remove_value(text: &str, path: &Path) -> Result<String, JsonError> {
    let root = parse(text)?;
    let Some((last, way)) = path.0.split_last() else { return Ok(text.to_owned()) };
    let parent = find(&root, way);
    let range = parent.and_then(|parent| {
        let position = position(parent, last)?;
        Some(range_with_comma(parent, position))
    });
    Ok(range.map_or_else(|| text.to_owned(), |range| replaced(text, range, "")))
}

fn replaced(text: &str, range: Range<usize>, new: &str) -> String {
    [&text[..range.start], new, &text[range.end..]].concat()
}

fn find<'a>(root: &'a Node, steps: &[Step]) -> Option<&'a Node> {
    let (node, taken) = walk(root, steps);
    (taken == steps.len()).then_some(node)
}

/// Follows the steps as far as there are values: the last value, and the number of steps that lead to it.
fn walk<'a>(root: &'a Node, steps: &[Step]) -> (&'a Node, usize) {
    let mut node = root;
    for (taken, step) in steps.iter().enumerate() {
        match position(node, step) {
            Some(position) => node = child(node, position),
            None => return (node, taken),
        }
    }
    (node, steps.len())
}

/// The position of a part among its siblings. Of equal keys the last counts, as in JavaScript.
fn position(node: &Node, step: &Step) -> Option<usize> {
    match (&node.value, step) {
        (Value::List(items), Step::Item(index)) => (*index < items.len()).then_some(*index),
        (Value::Object(members), step) => members.iter().rposition(|member| step.is_key(&member.key)),
        _ => None,
    }
}

fn child(node: &Node, position: usize) -> &Node {
    match &node.value {
        Value::Object(members) => &members[position].node,
        Value::List(items) => &items[position],
        _ => node,
    }
}

/// The places of the parts of a list or an object, keys included.
fn parts(node: &Node) -> Vec<Range<usize>> {
    match &node.value {
        Value::Object(members) => {
            members.iter().map(|member| member.key_start..member.node.range.end).collect()
        }
        Value::List(items) => items.iter().map(|item| item.range.clone()).collect(),
        _ => Vec::new(),
    }
}

/// A part with the comma and the white space that go with it.
fn range_with_comma(parent: &Node, position: usize) -> Range<usize> {
    let parts = parts(parent);
    match (position, parts.len()) {
        (0, 1) => parent.range.start + 1..parent.range.end - 1,
        (0, _) => parts[0].start..parts[1].start,
        _ => parts[position - 1].end..parts[position].end,
    }
}

/// A value that gets a new part.
struct Place<'a> {
    text: &'a str,
    node: &'a Node,
    /// Whether new parts of empty values stand on lines of their own.
    is_indented: bool,
}

impl Place<'_> {
    /// The place at which the missing steps are inserted, and their text.
    fn insert(&self, missing: &[Step], value: &str) -> Option<(Range<usize>, String)> {
        let fits = match (&self.node.value, &missing[0]) {
            (Value::Object(_), Step::Key(_) | Step::Field { .. }) | (Value::Null, _) => true,
            (Value::List(items), Step::Item(index)) => *index == items.len(),
            _ => false,
        };
        // Lists that are made on the way are empty.
        let is_first = |step: &Step| !matches!(step, Step::Item(1..));
        let is_list = matches!(self.node.value, Value::List(_));
        if !fits || !missing[usize::from(is_list)..].iter().all(is_first) {
            return None;
        }
        let parts = parts(self.node);
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            let new = self.wrapped(missing, value, &self.indent());
            return Some((self.node.range.clone(), new));
        };
        let has_lines = self.text[self.node.range.start..first.start].contains('\n');
        let indent = if has_lines { line_indent(self.text, first.start) } else { String::new() };
        let separator = match has_lines {
            true => format!(",\n{indent}"),
            false => self.inline_separator(&parts).to_owned(),
        };
        let inside = Place { is_indented: has_lines, ..*self };
        Some((last.end..last.end, separator + &inside.part(missing, value, &indent)))
    }

    /// The separator of parts on one line: like the first one of this value.
    fn inline_separator(&self, parts: &[Range<usize>]) -> &'static str {
        match parts {
            [first, second, ..] if second.start == first.end + 1 => ",",
            [_] if !self.text.contains(": ") => ",",
            _ => ", ",
        }
    }

    /// The indentation of the line on which the value begins.
    fn indent(&self) -> String {
        line_indent(self.text, self.node.range.start)
    }

    /// A part of an object or a list: the key where there is one, and the value.
    fn part(&self, steps: &[Step], value: &str, indent: &str) -> String {
        let Some((step, rest)) = steps.split_first() else { return indent_lines(value, indent) };
        let value = self.wrapped(rest, value, indent);
        match step {
            Step::Key(key) | Step::Field { json_name: key, .. } => {
                let mut json = JsonWriter::new(false);
                json.string(key);
                let has_space = self.is_indented || self.text.contains(": ");
                json.finish() + if has_space { ": " } else { ":" } + &value
            }
            Step::Item(_) => value,
        }
    }

    /// The value inside of new objects and lists.
    fn wrapped(&self, steps: &[Step], value: &str, indent: &str) -> String {
        let Some(step) = steps.first() else { return indent_lines(value, indent) };
        let (open, close) = if matches!(step, Step::Item(_)) { ('[', ']') } else { ('{', '}') };
        if !self.is_indented {
            return format!("{open}{}{close}", self.part(steps, value, indent));
        }
        let inner = format!("{indent}  ");
        format!("{open}\n{inner}{}\n{indent}{close}", self.part(steps, value, &inner))
    }
}

/// The white space at the start of the line of an offset.
fn line_indent(text: &str, offset: usize) -> String {
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    text[start..offset].chars().take_while(|letter| matches!(letter, ' ' | '\t')).collect()
}

/// Indents all lines but the first. A line break in JSON is never inside of a string.
fn indent_lines(value: &str, indent: &str) -> String {
    value.replace('\n', &format!("\n{indent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, path: &str, value: &str) -> String {
        set_value(text, &path.parse().unwrap(), value).unwrap()
    }

    fn remove(text: &str, path: &str) -> String {
        remove_value(text, &path.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_value_is_replaced_and_the_rest_of_the_text_stays() {
        let text = "{ \"a\" : 1,\n\t\"b\":[ 1 , {\"c\" : \"x\"} ] }";
        assert_eq!(set(text, "$.b[1].c", "\"y\""), text.replace("\"x\"", "\"y\""));
        assert_eq!(set(text, "$.a", "[2]"), text.replace(" 1,", " [2],"));
        assert_eq!(set("1", "$", "{}"), "{}");
    }

    #[test]
    fn a_missing_member_is_added_in_the_style_of_its_object() {
        let text = "{\n  \"a\": 1,\n  \"b\": {}\n}\n";
        assert_eq!(set(text, "$.c", "2"), "{\n  \"a\": 1,\n  \"b\": {},\n  \"c\": 2\n}\n");
        assert_eq!(
            set(text, "$.b.d[0]", "{\n  \"e\": 1\n}"),
            "{\n  \"a\": 1,\n  \"b\": {\n    \"d\": [\n      {\n        \"e\": 1\n      }\n    ]\n  }\n}\n"
        );
        assert_eq!(set("{\"a\":1}", "$.b.c", "2"), "{\"a\":1,\"b\":{\"c\":2}}");
        assert_eq!(set("{\"a\": 1}", "$.b.c", "2"), "{\"a\": 1, \"b\": {\"c\": 2}}");
        assert_eq!(set("{\"a\":[1,2]}", "$.a[2]", "3"), "{\"a\":[1,2,3]}");
        assert_eq!(set("", "$.a", "1"), "{\n  \"a\": 1\n}");
        assert_eq!(set("{\"a\":null}", "$.a.b", "1"), "{\"a\":{\"b\":1}}");
    }

    #[test]
    fn a_part_that_cannot_be_there_is_an_error_with_its_place() {
        for (text, path, at, part) in [
            ("{\"a\":1}", "$.a.b", "$.a", ".b"),
            ("{\"a\":[]}", "$.a[1]", "$.a", "[1]"),
            ("{\"a\":[]}", "$.a.b", "$.a", ".b"),
            ("{}", "$.a[1]", "$", ".a"),
        ] {
            let error = set_value(text, &path.parse().unwrap(), "1").unwrap_err();
            assert_eq!(error.path.to_string(), at, "{text}");
            assert_eq!(*error.kind, JsonErrorKind::NoSuchPart(part.to_owned()), "{text}");
        }
        assert!(set_value("{}", &Path::root().key("a"), "x").is_err());
    }

    #[test]
    fn a_removed_part_takes_its_comma_with_it() {
        assert_eq!(remove("{\"a\":1, \"b\":2}", "$.a"), "{\"b\":2}");
        assert_eq!(remove("{\"a\":1, \"b\":2}", "$.b"), "{\"a\":1}");
        assert_eq!(remove("{\"a\":[ 1 ]}", "$.a[0]"), "{\"a\":[]}");
        assert_eq!(remove("[1,2,3]", "$[1]"), "[1,3]");
        assert_eq!(remove("{\"a\":1}", "$.x.y"), "{\"a\":1}");
    }

    #[test]
    fn a_field_is_found_under_either_name() {
        let path =
            Path::root().then(Step::Field { json_name: "roomId".to_owned(), name: "room_id".to_owned() });
        for text in ["{\"roomId\":\"x\"}", "{\"room_id\":\"x\"}"] {
            assert_eq!(value_at(text, &path).unwrap(), Some("\"x\""));
            assert_eq!(content_at(text, &path).unwrap(), Some(Content::String("x".to_owned())));
        }
        assert_eq!(set_value("{}", &path, "1").unwrap(), "{\n  \"roomId\": 1\n}");
        assert_eq!(value_at("{}", &path).unwrap(), None);
    }
}
