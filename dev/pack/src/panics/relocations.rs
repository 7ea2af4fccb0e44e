//! The linker's relocations: which bytes of code and data name another function or other data.

use std::ops::Range;

use anyhow::{Context as _, Result};
use wasm_encoder::{CustomSection, Encode as _, Module, RawSection};
use wasmparser::{KnownCustom, Parser, Payload, RelocSectionReader};

/// `module` without the relocations in `blank`, places in the file that no longer name anything.
pub(super) fn without(module: &[u8], mut blank: Vec<Range<usize>>) -> Result<Vec<u8>> {
    blank.sort_unstable_by_key(|range| range.start);
    let mut out = Module::new();
    // The place from which the relocations of each section count.
    let mut starts = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("this is not a WebAssembly module")?;
        let Some((id, range)) = payload.as_section() else { continue };
        let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
        if let Payload::CustomSection(custom) = &payload {
            starts.push(usize::try_from(custom.data_offset())?);
            if let KnownCustom::Reloc(relocations) = custom.as_known() {
                let start = starts[relocations.section_index() as usize];
                let data = kept(module, &relocations, start, &blank)?;
                out.section(&CustomSection { name: custom.name().into(), data: data.into() });
                continue;
            }
        } else {
            starts.push(range.start);
        }
        out.section(&RawSection { id, data: &module[range] });
    }
    Ok(out.finish())
}

/// The content of a section of relocations, which count from `start`, without those in `blank`.
fn kept(
    module: &[u8],
    relocations: &RelocSectionReader<'_>,
    start: usize,
    blank: &[Range<usize>],
) -> Result<Vec<u8>> {
    let is_blank = |place: usize| {
        let next = blank.partition_point(|range| range.end <= place);
        blank.get(next).is_some_and(|range| range.contains(&place))
    };
    let end = usize::try_from(relocations.range().end)?;
    let entries = relocations.entries().into_iter_with_offsets().collect::<Result<Vec<_>, _>>()?;
    let ends = entries.iter().skip(1).map(|(offset, _)| *offset as usize).chain([end]);
    let (mut count, mut bytes) = (0_u32, Vec::new());
    for ((offset, entry), end) in entries.iter().zip(ends) {
        if !is_blank(start + entry.offset as usize) {
            count += 1;
            bytes.extend_from_slice(&module[*offset as usize..end]);
        }
    }
    let mut data = Vec::new();
    relocations.section_index().encode(&mut data);
    count.encode(&mut data);
    data.extend(bytes);
    Ok(data)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{CodeSection, Function, FunctionSection, TypeSection};

    use super::*;

    #[test]
    fn relocations_in_blank_places_are_dropped() {
        let mut body = Function::new([]);
        body.instructions().i32_const(1_000_000).drop().i32_const(1_000_000).drop().end();
        let mut code = CodeSection::new();
        code.function(&body);
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut functions = FunctionSection::new();
        functions.function(0);
        // Of the third section: kind 4 (the address of data), place, symbol, addend.
        let module = |relocations: &[[u8; 4]]| {
            let mut data = vec![2, u8::try_from(relocations.len()).unwrap()];
            data.extend(relocations.concat());
            let mut module = Module::new();
            module.section(&types).section(&functions).section(&code);
            module.section(&CustomSection { name: "reloc.CODE".into(), data: data.into() });
            module.finish()
        };
        let (first, second) = ([4, 4, 1, 0], [4, 9, 1, 0]);
        let both = module(&[first, second]);
        // The code section's content follows the module's header, two sections, and its own kind and length.
        let place = 8 + 6 + 4 + 2 + 4;
        assert_eq!(without(&both, vec![place..place + 3, 0..8]).unwrap(), module(&[second]));
        assert_eq!(without(&both, vec![place + 5..place + 8, 0..8]).unwrap(), module(&[first]));
        assert_eq!(without(&both, vec![]).unwrap(), both);
    }
}
