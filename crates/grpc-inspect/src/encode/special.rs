//! Well-known messages from the form that JSON has for them.

use super::scalar::bytes;
use super::{Encoded, Encoder, push_signed};
use crate::json_text::{Expected, JsonErrorKind, Member, Node, Step, Value};
use crate::pool::Message;
use crate::time::{mask_path_of_json, parse_duration, parse_timestamp};
use crate::well_known::{Special, WellKnown, type_of_url};
use crate::wire::WireType;
use crate::wire_writer::{push_bytes, push_tag};

impl Encoder<'_> {
    /// The bytes of a message with a form of its own; `context` is any message of the pool.
    pub(super) fn special(
        &mut self,
        special: Special,
        context: Message<'_>,
        node: &Node,
    ) -> Encoded<Vec<u8>> {
        let mut into = Vec::new();
        match special {
            Special::Wrapper(kind) => {
                let kind = kind.map(|never| match never {}, |never| match never {});
                push_tag(1, WireType::of(kind), &mut into);
                if self.scalar(kind, node, &mut into)? {
                    into.clear();
                }
            }
            Special::Form(WellKnown::Timestamp) => {
                self.time(node, parse_timestamp, Expected::Timestamp, &mut into)?;
            }
            Special::Form(WellKnown::Duration) => {
                self.time(node, parse_duration, Expected::Duration, &mut into)?;
            }
            Special::Form(WellKnown::FieldMask) => self.field_mask(node, &mut into)?,
            Special::Form(WellKnown::Any) => self.any(context, node, &mut into)?,
            Special::Form(WellKnown::Struct) => self.structure(node, &mut into)?,
            Special::Form(WellKnown::Value) => self.any_value(node, &mut into)?,
            Special::Form(WellKnown::ListValue) => self.list_value(node, &mut into)?,
        }
        Ok(into)
    }

    fn time(
        &self,
        node: &Node,
        parse: fn(&str) -> Option<(i64, i32)>,
        expected: Expected,
        into: &mut Vec<u8>,
    ) -> Encoded<()> {
        let parsed = match &node.value {
            Value::String(text) => parse(text),
            _ => None,
        };
        let (seconds, nanos) = parsed.ok_or_else(|| self.wrong(node, expected))?;
        for (number, value) in [(1, seconds), (2, i64::from(nanos))] {
            if value != 0 {
                push_tag(number, WireType::Varint, into);
                push_signed(value, into);
            }
        }
        Ok(())
    }

    fn field_mask(&self, node: &Node, into: &mut Vec<u8>) -> Encoded<()> {
        let paths = match &node.value {
            Value::String(text) if text.is_empty() => Some(Vec::new()),
            Value::String(text) => text.split(',').map(mask_path_of_json).collect(),
            _ => None,
        };
        let paths: Vec<String> = paths.ok_or_else(|| self.wrong(node, Expected::FieldMask))?;
        paths.iter().for_each(|path| push_bytes(1, path.as_bytes(), into));
        Ok(())
    }

    fn any(&mut self, context: Message<'_>, node: &Node, into: &mut Vec<u8>) -> Encoded<()> {
        let Value::Object(members) = &node.value else { return Err(self.wrong(node, Expected::Object)) };
        if members.is_empty() {
            return Ok(());
        }
        let is_url = |member: &&Member| member.key == "@type";
        if let Some(second) = members.iter().filter(is_url).nth(1) {
            return Err(self.key_error(second, JsonErrorKind::DuplicateField("@type".to_owned())));
        }
        let Some(url_member) = members.iter().find(is_url) else {
            return Err(self.wrong(node, Expected::TypeUrl));
        };
        let name = match &url_member.node.value {
            Value::String(url) => type_of_url(url).map(|name| (url, name)),
            _ => None,
        };
        let Some((url, name)) = name else {
            self.path.push(Step::Key("@type".to_owned()));
            return Err(self.wrong(&url_member.node, Expected::TypeUrl));
        };
        let others: Vec<&Member> = members.iter().filter(|member| !is_url(member)).collect();
        let value = match (context.sibling(name), Special::of(name), others.as_slice()) {
            (_, Some(special), [value]) if value.key == "value" => {
                self.path.push(Step::Key("value".to_owned()));
                let inner = self.inner_special(special, context, &value.node)?;
                self.path.pop();
                inner
            }
            (_, Some(_), _) => return Err(self.no_value(node, &others, name)),
            // Libraries differ in whether an `Empty` has a value there.
            (Some(_), None, [value]) if name == "google.protobuf.Empty" && is_empty_value(value) => {
                Vec::new()
            }
            (Some(message), None, others) => self.inner_members(message, node, others)?,
            (None, None, [value]) if value.key == "value" => match &value.node.value {
                Value::String(text) if let Some(bytes) = bytes(text) => bytes,
                _ => return Err(self.unknown_type(url_member, name)),
            },
            (None, None, []) => Vec::new(),
            (None, None, _) => return Err(self.unknown_type(url_member, name)),
        };
        push_bytes(1, url.as_bytes(), into);
        if !value.is_empty() {
            push_bytes(2, &value, into);
        }
        Ok(())
    }

    fn inner_special(&mut self, special: Special, context: Message<'_>, node: &Node) -> Encoded<Vec<u8>> {
        self.deeper(node)?;
        let inner = self.special(special, context, node)?;
        self.depth -= 1;
        Ok(inner)
    }

    fn inner_members(&mut self, message: Message<'_>, node: &Node, others: &[&Member]) -> Encoded<Vec<u8>> {
        self.deeper(node)?;
        let inner = self.members(message, others.iter().copied())?;
        self.depth -= 1;
        Ok(inner)
    }

    fn no_value(&self, node: &Node, others: &[&Member], name: &str) -> crate::json_text::JsonError {
        match others.iter().find(|member| member.key != "value") {
            Some(other) => {
                let nearest = Some("value".to_owned());
                let (key, message) = (other.key.clone(), name.to_owned());
                self.key_error(other, JsonErrorKind::UnknownField { name: key, message, nearest })
            }
            None if others.len() > 1 => {
                self.key_error(others[1], JsonErrorKind::DuplicateField("value".to_owned()))
            }
            None => self.error(node, JsonErrorKind::MissingValue(name.to_owned())),
        }
    }

    fn unknown_type(&mut self, url: &Member, name: &str) -> crate::json_text::JsonError {
        self.path.push(Step::Key("@type".to_owned()));
        self.error(&url.node, JsonErrorKind::UnknownType(name.to_owned()))
    }
}

fn is_empty_value(member: &Member) -> bool {
    let Value::Object(members) = &member.node.value else { return false };
    member.key == "value" && members.is_empty()
}
