//! Writes Protocol Buffers' wire format. Knows no descriptor.

use crate::wire::WireType;

pub(crate) fn push_varint(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// Writes a tag.
pub(crate) fn push_tag(number: u32, wire_type: WireType, into: &mut Vec<u8>) {
    let code = match wire_type {
        WireType::Varint => 0,
        WireType::Fixed64 => 1,
        WireType::Bytes => 2,
        WireType::Fixed32 => 5,
    };
    push_varint(u64::from(number) << 3 | code, into);
}

/// Writes a field of bytes, a string, a message or a packed list.
pub(crate) fn push_bytes(number: u32, bytes: &[u8], into: &mut Vec<u8>) {
    push_tag(number, WireType::Bytes, into);
    push_varint(bytes.len() as u64, into);
    into.extend_from_slice(bytes);
}

/// Writes a group.
pub(crate) fn push_group(number: u32, content: &[u8], into: &mut Vec<u8>) {
    push_varint(u64::from(number) << 3 | 3, into);
    into.extend_from_slice(content);
    push_varint(u64::from(number) << 3 | 4, into);
}
