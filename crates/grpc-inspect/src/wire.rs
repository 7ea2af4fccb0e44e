//! Protocol Buffers' wire format: tags, varints and fixed-width values, read from bytes that may be cut or wrong. Knows no descriptor.

use crate::descriptor::FieldKind;
use crate::json::ProblemKind;

/// Bytes of a message and their offset in the outermost one.
#[derive(Clone, Copy)]
pub(crate) struct Slice<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) offset: usize,
}

impl<'a> Slice<'a> {
    /// Takes the next `count` bytes, or as many as are left.
    pub(crate) fn take(&mut self, count: usize) -> Slice<'a> {
        let (taken, rest) = self.bytes.split_at(count.min(self.bytes.len()));
        let slice = Slice { bytes: taken, offset: self.offset };
        *self = Slice { bytes: rest, offset: self.offset + taken.len() };
        slice
    }

    /// Takes one value of a packed list.
    pub(crate) fn packed_value<M, E>(&mut self, kind: FieldKind<M, E>) -> Result<WireValue<'a>, ProblemKind> {
        match WireType::of(kind) {
            WireType::Fixed64 => self.fixed().map(|bytes| WireValue::Fixed64(u64::from_le_bytes(bytes))),
            WireType::Fixed32 => self.fixed().map(|bytes| WireValue::Fixed32(u32::from_le_bytes(bytes))),
            WireType::Varint | WireType::Bytes => self.varint().map(WireValue::Varint),
        }
    }

    pub(crate) fn varint(&mut self) -> Result<u64, ProblemKind> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let [byte] = *self.take(1).bytes else { return Err(ProblemKind::Truncated) };
            // The tenth byte has room for one bit; higher bits are dropped, as other implementations do.
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ProblemKind::InvalidField)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], ProblemKind> {
        self.take(N).bytes.try_into().map_err(|_| ProblemKind::Truncated)
    }
}

/// A field as it stands on the wire.
pub(crate) struct WireField<'a> {
    pub(crate) number: u32,
    pub(crate) value: WireValue<'a>,
    /// Whether the value is shorter than its length says.
    pub(crate) is_truncated: bool,
}

impl<'a> WireField<'a> {
    /// Takes the next field off `input`.
    pub(crate) fn read(input: &mut Slice<'a>) -> Result<WireField<'a>, ProblemKind> {
        let tag = input.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| ProblemKind::InvalidField)?;
        let mut is_truncated = false;
        let value = match tag & 7 {
            _ if number == 0 => return Err(ProblemKind::InvalidField),
            0 => WireValue::Varint(input.varint()?),
            1 => WireValue::Fixed64(u64::from_le_bytes(input.fixed()?)),
            5 => WireValue::Fixed32(u32::from_le_bytes(input.fixed()?)),
            2 => {
                let length = usize::try_from(input.varint()?).unwrap_or(usize::MAX);
                is_truncated = length > input.bytes.len();
                WireValue::Bytes(input.take(length))
            }
            _ => return Err(ProblemKind::InvalidField),
        };
        Ok(WireField { number, value, is_truncated })
    }

    /// Takes the next field off `input`, and says whether it is a group, whose value is the bytes between its two tags. A group without
    /// an end is truncated.
    pub(crate) fn read_with_groups(input: &mut Slice<'a>) -> Result<(WireField<'a>, bool), ProblemKind> {
        let mut behind_tag = *input;
        let tag = behind_tag.varint()?;
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        if tag & 7 != 3 || number == 0 {
            return WireField::read(input).map(|field| (field, false));
        }
        let start = behind_tag;
        let mut open = vec![number];
        let mut end = behind_tag;
        while !open.is_empty() && !behind_tag.bytes.is_empty() {
            end = behind_tag;
            skip_part(&mut behind_tag, &mut open)?;
        }
        let is_truncated = !open.is_empty();
        let length = if is_truncated { start.bytes.len() } else { end.offset - start.offset };
        let bytes = Slice { bytes: &start.bytes[..length], offset: start.offset };
        *input = behind_tag;
        Ok((WireField { number, value: WireValue::Bytes(bytes), is_truncated }, true))
    }
}

/// Skips a field, or one of the tags around a group; `open` are the groups that have no end yet.
fn skip_part(input: &mut Slice<'_>, open: &mut Vec<u32>) -> Result<(), ProblemKind> {
    let mut behind_tag = *input;
    let tag = match behind_tag.varint() {
        Ok(tag) => tag,
        Err(kind) => return cut_or_invalid(input, kind),
    };
    let number = u32::try_from(tag >> 3).unwrap_or(0);
    match tag & 7 {
        3 if number != 0 => open.push(number),
        4 if open.last() == Some(&number) => _ = open.pop(),
        _ => {
            return match WireField::read(input) {
                Ok(_) => Ok(()),
                Err(kind) => cut_or_invalid(input, kind),
            };
        }
    }
    *input = behind_tag;
    Ok(())
}

/// The end of the bytes inside of a group leaves the group without an end.
fn cut_or_invalid(input: &mut Slice<'_>, kind: ProblemKind) -> Result<(), ProblemKind> {
    if kind == ProblemKind::Truncated {
        input.take(input.bytes.len());
        return Ok(());
    }
    Err(kind)
}

/// A value with its wire type.
#[derive(Clone, Copy)]
pub(crate) enum WireValue<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(Slice<'a>),
}

impl WireValue<'_> {
    pub(crate) fn wire_type(self) -> WireType {
        match self {
            WireValue::Varint(_) => WireType::Varint,
            WireValue::Fixed64(_) => WireType::Fixed64,
            WireValue::Fixed32(_) => WireType::Fixed32,
            WireValue::Bytes(_) => WireType::Bytes,
        }
    }

    /// The default value of a kind.
    pub(crate) fn default_of<M, E>(kind: FieldKind<M, E>) -> WireValue<'static> {
        match WireType::of(kind) {
            WireType::Varint => WireValue::Varint(0),
            WireType::Fixed64 => WireValue::Fixed64(0),
            WireType::Fixed32 => WireValue::Fixed32(0),
            WireType::Bytes => WireValue::Bytes(Slice { bytes: &[], offset: 0 }),
        }
    }
}

/// A wire type. Groups, which proto3 does not have, are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireType {
    Varint,
    Fixed64,
    Fixed32,
    Bytes,
}

impl WireType {
    /// The wire type of one value of a kind.
    pub(crate) fn of<M, E>(kind: FieldKind<M, E>) -> WireType {
        match kind {
            FieldKind::Double | FieldKind::Fixed64 | FieldKind::Sfixed64 => WireType::Fixed64,
            FieldKind::Float | FieldKind::Fixed32 | FieldKind::Sfixed32 => WireType::Fixed32,
            FieldKind::String | FieldKind::Bytes | FieldKind::Message(_) => WireType::Bytes,
            _ => WireType::Varint,
        }
    }
}

/// Decodes a signed value of `sint32` or `sint64`.
pub(crate) fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
