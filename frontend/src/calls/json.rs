//! JSON as it is written, piece by piece. A library would weigh more than the whole panel.

/// JSON under construction: in lines for a person, or in one line.
#[derive(Debug)]
pub(super) struct Json {
    text: String,
    in_lines: bool,
    depth: usize,
    /// Whether what was opened last has nothing in it.
    is_empty: bool,
}

impl Json {
    pub(super) fn new(in_lines: bool) -> Json {
        Json { text: String::new(), in_lines, depth: 0, is_empty: true }
    }

    /// Opens an object or a list, `{` or `[`.
    pub(super) fn open(&mut self, bracket: char) {
        self.text.push(bracket);
        self.depth += 1;
        self.is_empty = true;
    }

    /// Closes it, with `}` or `]`.
    pub(super) fn close(&mut self, bracket: char) {
        self.depth -= 1;
        if !self.is_empty {
            self.new_line();
        }
        self.text.push(bracket);
        self.is_empty = false;
    }

    /// Goes to the next place of a list.
    pub(super) fn item(&mut self) {
        if !self.is_empty {
            self.text.push(',');
        }
        self.is_empty = false;
        self.new_line();
    }

    /// Begins the next field of an object.
    pub(super) fn key(&mut self, key: &str) {
        self.item();
        self.text(key);
        self.colon();
    }

    /// The same with a key that is in quotes already.
    pub(super) fn quoted_key(&mut self, key: &str) {
        self.item();
        self.text.push_str(key);
        self.colon();
    }

    /// A number, `true` or `false`, as it stands.
    pub(super) fn plain(&mut self, value: &str) {
        self.text.push_str(value);
    }

    /// A text, in quotes.
    pub(super) fn text(&mut self, value: &str) {
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

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn colon(&mut self) {
        self.text.push_str(if self.in_lines { ": " } else { ":" });
    }

    fn new_line(&mut self) {
        if self.in_lines {
            self.text.push('\n');
            for _ in 0..self.depth {
                self.text.push_str("  ");
            }
        }
    }
}

/// A byte as two digits.
pub(super) fn push_hex(byte: u8, into: &mut String) {
    for digit in [byte >> 4, byte & 15] {
        into.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(in_lines: bool) -> String {
        let mut json = Json::new(in_lines);
        json.open('{');
        json.key("a");
        json.text("x");
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
    fn objects_and_lists_are_written_in_one_line_or_in_many() {
        assert_eq!(example(false), r#"{"a":"x","b":[1,{}],"c":[]}"#);
        assert_eq!(example(true), "{\n  \"a\": \"x\",\n  \"b\": [\n    1,\n    {}\n  ],\n  \"c\": []\n}");
    }

    #[test]
    fn letters_that_json_reserves_are_escaped() {
        let mut json = Json::new(false);
        json.text("a\"b\\c\nd\te\u{1}\u{1f}é房");
        assert_eq!(json.finish(), r#""a\"b\\c\nd\te\u0001\u001fé房""#);
    }
}
