//! Places in sources: constants of the type `core::panic::Location`, which panics show.

use std::ops::Range;

use anyhow::Result;
use wasmparser::{DataKind, Operator, Parser, Payload};

/// Bytes of a place in a source file, and the largest numbers that one has.
const PLACE_BYTES: usize = 16;
const LONGEST_PATH: u32 = 400;
const MOST_LINES: u32 = 100_000;
const MOST_COLUMNS: u32 = 1_000;

/// The bytes in the file of all places in sources, and of the paths that they name. Nothing reads them once panics have no texts.
///
/// A place is four numbers of 32 bits: the address and the length of a path, a line and a column.
pub(super) fn find(module: &[u8]) -> Result<Vec<Range<usize>>> {
    let segments = segments(module)?;
    let at = |address: u32, length: u32| {
        let found = segments.iter().find_map(|(start, range)| {
            let from = range.start + usize::try_from(address.checked_sub(*start)?).ok()?;
            Some(from..from + usize::try_from(length).ok()?).filter(|found| found.end <= range.end)
        });
        found.filter(|_| (1..=LONGEST_PATH).contains(&length))
    };
    let mut found = Vec::new();
    for (start, range) in &segments {
        let aligned = range.start + usize::try_from(start.wrapping_neg() % 4)?;
        for place in (aligned..range.end.saturating_sub(PLACE_BYTES - 1)).step_by(4) {
            let number = |index: usize| {
                let bytes = &module[place + 4 * index..][..4];
                u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
            };
            if let Some(path) = at(number(0), number(1)).filter(|path| is_path(&module[path.clone()]))
                && (1..=MOST_LINES).contains(&number(2))
                && (1..=MOST_COLUMNS).contains(&number(3))
            {
                found.extend([place..place + PLACE_BYTES, path]);
            }
        }
    }
    Ok(found)
}

/// The path of a source file, as the compiler writes it.
fn is_path(text: &[u8]) -> bool {
    text.ends_with(b".rs") && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-./+@".contains(byte))
}

/// The constant data of a module: the address and the bytes' place in the file of each segment.
fn segments(module: &[u8]) -> Result<Vec<(u32, Range<usize>)>> {
    let mut segments = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::DataSection(section) = payload? else { continue };
        for data in section {
            let data = data?;
            let end = usize::try_from(data.range.end)?;
            let DataKind::Active { offset_expr, .. } = data.kind else { continue };
            if let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? {
                segments.push((value.cast_unsigned(), end - data.data.len()..end));
            }
        }
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{ConstExpr, DataSection, Module};

    use super::*;

    #[test]
    fn places_and_their_paths_are_found_and_other_data_is_not() {
        let path = b"library/core/src/lib.rs";
        let mut bytes = [&b"text"[..], path, b"\0"].concat();
        for number in [1_004, path.len() as u32, 12, 5, 1_000, 4, 12, 5] {
            bytes.extend(number.to_le_bytes());
        }
        let mut data = DataSection::new();
        data.active(0, &ConstExpr::i32_const(1_000), bytes.iter().copied());
        let mut module = Module::new();
        module.section(&data);
        let module = module.finish();
        let start = module.len() - bytes.len();
        // The path, and the first of the two places: the other one names no path.
        assert_eq!(find(&module).unwrap(), [start + 28..start + 44, start + 4..start + 4 + path.len()]);
    }
}
