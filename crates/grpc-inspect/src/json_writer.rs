//! Writes JSON piece by piece.
//!
//! `serde_json` would need a value tree or a `Serialize` implementation per descriptor, for the sake of escaping and commas.

use crate::hex::push_hex;

/// JSON under construction, on one line or indented.
#[derive(Debug)]
pub(crate) struct JsonWriter {
    text: String,
    indent: bool,
    depth: usize,
    /// Whether the innermost open object or list has no entries.
    is_empty: bool,
}

impl JsonWriter {
    pub(crate) fn new(indent: bool) -> JsonWriter {
        JsonWriter { text: String::new(), indent, depth: 0, is_empty: true }
    }

    /// Opens an object or a list, `{` or `[`.
    pub(crate) fn open(&mut self, bracket: char) {
        self.text.push(bracket);
        self.depth += 1;
        self.is_empty = true;
    }

    /// Closes the innermost object or list, `}` or `]`.
    pub(crate) fn close(&mut self, bracket: char) {
        self.depth -= 1;
        if !self.is_empty {
            self.new_line();
        }
        self.text.push(bracket);
        self.is_empty = false;
    }

    /// Begins an item of a list.
    pub(crate) fn item(&mut self) {
        if !self.is_empty {
            self.text.push(',');
        }
        self.is_empty = false;
        self.new_line();
    }

    /// Begins a member of an object.
    pub(crate) fn key(&mut self, key: &str) {
        self.item();
        self.string(key);
        self.colon();
    }

    /// Begins a member whose key is a JSON string already.
    pub(crate) fn quoted_key(&mut self, key: &str) {
        self.item();
        self.text.push_str(key);
        self.colon();
    }

    /// Writes a number, `true` or `false`.
    pub(crate) fn plain(&mut self, value: &str) {
        self.text.push_str(value);
    }

    /// Writes a string with its quotes.
    pub(crate) fn string(&mut self, value: &str) {
        self.text.push('"');
        for letter in value.chars() {
            match letter {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\t' => self.text.push_str("\\t"),
                '\r' => self.text.push_str("\\r"),
                control if u32::from(control) < 0x20 => {
                    self.text.push_str("\\u00");
                    push_hex(control as u8, &mut self.text);
                }
                other => self.text.push(other),
            }
        }
        self.text.push('"');
    }

    /// Bytes that are written so far.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn colon(&mut self) {
        self.text.push_str(if self.indent { ": " } else { ":" });
    }

    fn new_line(&mut self) {
        if self.indent {
            self.text.push('\n');
            for _ in 0..self.depth {
                self.text.push_str("  ");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(indent: bool) -> String {
        let mut json = JsonWriter::new(indent);
        json.open('{');
        json.key("a");
        json.string("x");
        json.key("b");
        json.open('[');
        json.item();
        json.plain("1");
        json.item();
        json.open('{');
        json.close('}');
        json.close(']');
        json.key("c");
        json.open('[');
        json.close(']');
        json.close('}');
        json.finish()
    }

    #[test]
    fn objects_and_lists_are_written_on_one_line_or_indented() {
        assert_eq!(example(false), r#"{"a":"x","b":[1,{}],"c":[]}"#);
        assert_eq!(example(true), "{\n  \"a\": \"x\",\n  \"b\": [\n    1,\n    {}\n  ],\n  \"c\": []\n}");
    }

    #[test]
    fn reserved_characters_are_escaped() {
        let mut json = JsonWriter::new(false);
        json.string("a\"b\\c\nd\te\u{1}\u{1f}é房");
        assert_eq!(json.finish(), r#""a\"b\\c\nd\te\u0001\u001fé房""#);
    }
}
