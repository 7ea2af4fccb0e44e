//! Well-known messages in the form that JSON has for them. A value without such a form is shown field by field.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::raw::RawField;
use super::{Decoder, MAX_DEPTH};
use crate::descriptor::FieldKind;
use crate::json::ProblemKind;
use crate::pool::{Kind, Message};
use crate::time::{duration_text, mask_path_to_json, timestamp_text};
use crate::well_known::{Special, WellKnown, type_of_url};
use crate::wire::{Slice, WireType, WireValue};

type Fields<'a> = Vec<RawField<'a>>;

impl<'a> Decoder<'a> {
    /// Writes a message with a form of its own; `context` is any message of the pool.
    pub(super) fn special(
        &mut self,
        special: Special,
        context: Message<'a>,
        fields: Fields<'a>,
        depth: usize,
    ) {
        match special {
            Special::Wrapper(kind) => {
                self.wrapper(kind.map(|never| match never {}, |never| match never {}), &fields)
            }
            Special::Form(WellKnown::Any) => self.any(context, &fields, depth),
            Special::Form(WellKnown::Timestamp) => self.time(&fields, timestamp_text),
            Special::Form(WellKnown::Duration) => self.time(&fields, duration_text),
            Special::Form(WellKnown::FieldMask) => self.field_mask(&fields),
            Special::Form(WellKnown::Struct) => self.structure(&fields, depth),
            Special::Form(WellKnown::Value) => self.value(&fields, depth),
            Special::Form(WellKnown::ListValue) => self.list_value(&fields, depth),
        }
    }

    fn wrapper(&mut self, kind: Kind<'a>, fields: &[RawField<'a>]) {
        let value = last(fields, 1, WireType::of(kind)).unwrap_or_else(|| WireValue::default_of(kind));
        self.scalar(kind, value);
        self.keep_others(fields, &[(1, WireType::of(kind))]);
    }

    fn time(&mut self, fields: &[RawField<'a>], text: fn(i64, i32) -> Option<String>) {
        let number = |number| match last(fields, number, WireType::Varint) {
            Some(WireValue::Varint(value)) => value as i64,
            _ => 0,
        };
        let (seconds, nanos) = (number(1), number(2) as i32);
        match text(seconds, nanos) {
            Some(text) => self.json.string(&text),
            None => {
                self.json.open('{');
                self.json.key("seconds");
                self.json.string(&seconds.to_string());
                self.json.key("nanos");
                self.json.plain(&nanos.to_string());
                self.json.close('}');
            }
        }
        self.keep_others(fields, &[(1, WireType::Varint), (2, WireType::Varint)]);
    }

    fn field_mask(&mut self, fields: &[RawField<'a>]) {
        let slices: Vec<Slice<'a>> = slices(fields, 1).collect();
        let paths: Vec<_> = slices.into_iter().map(|slice| self.text(slice)).collect();
        let json: Option<Vec<String>> = paths.iter().map(|path| mask_path_to_json(path)).collect();
        match json {
            Some(json) => self.json.string(&json.join(",")),
            None => {
                self.json.open('{');
                self.json.key("paths");
                self.json.open('[');
                for path in &paths {
                    self.json.item();
                    self.json.string(path);
                }
                self.json.close(']');
                self.json.close('}');
            }
        }
        self.keep_others(fields, &[(1, WireType::Bytes)]);
    }

    fn any(&mut self, context: Message<'a>, fields: &[RawField<'a>], depth: usize) {
        let url = slices(fields, 1).last().map(|slice| self.text(slice)).unwrap_or_default();
        let value = slices(fields, 2).last();
        self.json.open('{');
        if !url.is_empty() {
            self.json.key("@type");
            self.json.string(&url);
        }
        let name = type_of_url(&url).unwrap_or_default();
        let message = context.sibling(name);
        let special = Special::of(name);
        let content = value.unwrap_or(Slice { bytes: &[], offset: 0 });
        match (message, special) {
            _ if depth >= MAX_DEPTH => self.report(content.offset, ProblemKind::TooDeep),
            (_, Some(special)) => {
                let mut inner = Vec::new();
                self.read_fields(content, &mut inner);
                self.json.key("value");
                self.unknown.enter_key("value".to_owned());
                self.special(special, context, inner, depth + 1);
                self.unknown.leave();
            }
            (Some(message), None) => {
                let mut inner = Vec::new();
                self.read_fields(content, &mut inner);
                self.members(message, inner, depth + 1);
            }
            (None, None) => self.unknown_type(name, value),
        }
        self.json.close('}');
        self.keep_others(fields, &[(1, WireType::Bytes), (2, WireType::Bytes)]);
    }

    fn unknown_type(&mut self, name: &str, value: Option<Slice<'a>>) {
        if let Some(value) = value {
            self.json.key("value");
            self.json.string(&BASE64_STANDARD.encode(value.bytes));
        }
        if !name.is_empty() && !self.unknown_types.iter().any(|known| known == name) {
            self.unknown_types.push(name.to_owned());
        }
    }

    fn structure(&mut self, fields: &[RawField<'a>], depth: usize) {
        let mut entries: Vec<(String, Fields<'a>)> = Vec::new();
        let mut positions = std::collections::BTreeMap::new();
        for slice in slices(fields, 1) {
            let mut entry = Vec::new();
            self.read_fields(slice, &mut entry);
            let key = slices(&entry, 1).last().map(|slice| self.text(slice)).unwrap_or_default().into_owned();
            let mut value = Vec::new();
            slices(&entry, 2).for_each(|slice| self.read_fields(slice, &mut value));
            match positions.get(&key) {
                Some(position) => {
                    let entry: &mut (String, Fields<'a>) = &mut entries[*position];
                    entry.1 = value;
                }
                None => {
                    positions.insert(key.clone(), entries.len());
                    entries.push((key, value));
                }
            }
        }
        self.json.open('{');
        for (key, value) in entries {
            if self.is_full() {
                break;
            }
            self.json.key(&key);
            self.value(&value, depth + 1);
        }
        self.json.close('}');
        self.keep_others(fields, &[(1, WireType::Bytes)]);
    }

    fn list_value(&mut self, fields: &[RawField<'a>], depth: usize) {
        self.json.open('[');
        for slice in slices(fields, 1) {
            if self.is_full() {
                break;
            }
            let mut value = Vec::new();
            self.read_fields(slice, &mut value);
            self.json.item();
            self.value(&value, depth + 1);
        }
        self.json.close(']');
        self.keep_others(fields, &[(1, WireType::Bytes)]);
    }

    /// Writes a `Value`: the newest of its members, which form a oneof.
    fn value(&mut self, fields: &[RawField<'a>], depth: usize) {
        let fits = |raw: &&RawField<'_>| {
            VALUE_FIELDS.contains(&(raw.number, raw.value.wire_type())) && !raw.is_group
        };
        let newest = fields.iter().filter(fits).max_by_key(|raw| raw.offset);
        match newest.map(|raw| (raw.number, raw.value)) {
            Some((2, WireValue::Fixed64(bits))) => self.float(f64::from_bits(bits), None),
            Some((3, value)) => self.scalar(FieldKind::String, value),
            Some((4, value)) => self.scalar(FieldKind::Bool, value),
            Some((5 | 6, WireValue::Bytes(slice))) if depth >= MAX_DEPTH => {
                self.report(slice.offset, ProblemKind::TooDeep);
                self.json.plain("null");
            }
            Some((number @ (5 | 6), WireValue::Bytes(slice))) => {
                let mut inner = Vec::new();
                self.read_fields(slice, &mut inner);
                match number {
                    5 => self.structure(&inner, depth + 1),
                    _ => self.list_value(&inner, depth + 1),
                }
            }
            _ => self.json.plain("null"),
        }
        self.keep_others(fields, &VALUE_FIELDS);
    }

    /// Keeps fields other than these as unknown ones. The form has no place for them in the JSON.
    fn keep_others(&mut self, fields: &[RawField<'a>], known: &[(u32, WireType)]) {
        for raw in fields {
            if raw.is_group || !known.contains(&(raw.number, raw.value.wire_type())) {
                self.unknown.add(raw);
            }
        }
    }
}

/// Numbers and wire types of the fields of `google.protobuf.Value`.
const VALUE_FIELDS: [(u32, WireType); 6] = [
    (1, WireType::Varint),
    (2, WireType::Fixed64),
    (3, WireType::Bytes),
    (4, WireType::Varint),
    (5, WireType::Bytes),
    (6, WireType::Bytes),
];

/// The last value of a field.
fn last<'a>(fields: &[RawField<'a>], number: u32, wire_type: WireType) -> Option<WireValue<'a>> {
    let fits =
        |raw: &&RawField<'_>| raw.number == number && !raw.is_group && raw.value.wire_type() == wire_type;
    fields.iter().rfind(fits).map(|raw| raw.value)
}

/// The values of a field of strings, bytes or messages.
fn slices<'a>(fields: &[RawField<'a>], number: u32) -> impl Iterator<Item = Slice<'a>> {
    fields.iter().filter_map(move |raw| match raw.value {
        WireValue::Bytes(slice) if raw.number == number && !raw.is_group => Some(slice),
        _ => None,
    })
}
