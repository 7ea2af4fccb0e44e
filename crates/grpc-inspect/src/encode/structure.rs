//! `google.protobuf.Struct`, `Value` and `ListValue` from any JSON.

use std::collections::BTreeSet;

use super::scalar::parse_finite;
use super::{Encoded, Encoder, push_double};
use crate::decode::MAX_DEPTH;
use crate::json_text::{Expected, JsonErrorKind, Node, Step, Value};
use crate::wire::WireType;
use crate::wire_writer::{push_bytes, push_tag};

impl Encoder<'_> {
    pub(super) fn structure(&mut self, node: &Node, into: &mut Vec<u8>) -> Encoded<()> {
        let Value::Object(members) = &node.value else { return Err(self.wrong(node, Expected::Object)) };
        let mut keys = BTreeSet::new();
        for member in members {
            if !keys.insert(&member.key) {
                return Err(self.key_error(member, JsonErrorKind::DuplicateField(member.key.clone())));
            }
            let (mut entry, mut value) = (Vec::new(), Vec::new());
            push_bytes(1, member.key.as_bytes(), &mut entry);
            self.inner_value(Step::Key(member.key.clone()), &member.node, &mut value)?;
            push_bytes(2, &value, &mut entry);
            push_bytes(1, &entry, into);
        }
        Ok(())
    }

    pub(super) fn list_value(&mut self, node: &Node, into: &mut Vec<u8>) -> Encoded<()> {
        let Value::List(items) = &node.value else { return Err(self.wrong(node, Expected::List)) };
        for (index, item) in items.iter().enumerate() {
            let mut value = Vec::new();
            self.inner_value(Step::Item(index), item, &mut value)?;
            push_bytes(1, &value, into);
        }
        Ok(())
    }

    pub(super) fn any_value(&mut self, node: &Node, into: &mut Vec<u8>) -> Encoded<()> {
        match &node.value {
            Value::Null => into.extend_from_slice(&[0x08, 0]),
            Value::Bool(value) => into.extend_from_slice(&[0x20, u8::from(*value)]),
            Value::String(text) => push_bytes(3, text.as_bytes(), into),
            Value::Number => {
                let value = parse_finite(&self.text[node.range.clone()]);
                push_tag(2, WireType::Fixed64, into);
                push_double(value.ok_or_else(|| self.wrong(node, Expected::FiniteNumber))?, into);
            }
            Value::Object(_) => {
                let mut content = Vec::new();
                self.structure(node, &mut content)?;
                push_bytes(5, &content, into);
            }
            Value::List(_) => {
                let mut content = Vec::new();
                self.list_value(node, &mut content)?;
                push_bytes(6, &content, into);
            }
        }
        Ok(())
    }

    fn inner_value(&mut self, step: Step, node: &Node, into: &mut Vec<u8>) -> Encoded<()> {
        // A `Value` and the message around it.
        self.path.push(step);
        self.deeper(node)?;
        self.deeper(node)?;
        self.any_value(node, into)?;
        self.depth -= 2;
        self.path.pop();
        Ok(())
    }

    /// Counts one more message around the value.
    pub(super) fn deeper(&mut self, node: &Node) -> Encoded<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(node, JsonErrorKind::TooDeep(MAX_DEPTH)));
        }
        Ok(())
    }
}
