//! Panics without their texts: the functions that end a program become a trap. Its stack stays in the browser's console; the sentence, the
//! code that formats it, and the places in the sources are no part of the page. Nor are the texts of `Debug`, which are for developers: its
//! functions write nothing.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context as _, Result};
use wasm_encoder::{CodeSection, Function, Module, RawSection};
use wasmparser::{
    BinaryReader, CodeSectionReader, DataKind, KnownCustom, Name, Operator, Parser, Payload, TypeRef, ValType,
};

/// Functions of Rust's own that never return, as both of Rust's manglings write their paths: each name follows its length.
const DIVERGING: [&str; 14] = [
    "4core6option13unwrap_failed",
    "4core6option13expect_failed",
    "4core6result13unwrap_failed",
    "4core5slice5index16slice_index_fail",
    "4core5slice5index22slice_index_order_fail",
    "4core5slice5index26slice_start_index_len_fail",
    "4core5slice5index24slice_end_index_len_fail",
    "4core3str16slice_error_fail",
    "4core3str19slice_error_fail_rt",
    "4core4cell22panic_already_borrowed",
    "4core4cell30panic_already_mutably_borrowed",
    "5alloc7raw_vec12handle_error",
    "5alloc7raw_vec17capacity_overflow",
    "5alloc5alloc18handle_alloc_error",
];

/// Bytes of a place in a source file, and the largest numbers that one has.
const PLACE_BYTES: usize = 16;
const LONGEST_PATH: u32 = 400;
const MOST_LINES: u32 = 100_000;
const MOST_COLUMNS: u32 = 1_000;

/// The module of which no function returns.
const PANICKING: &str = "4core9panicking";

/// The replacement of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Instead {
    /// A trap, for a function that panics.
    Trap,
    /// The result `Ok(())`, for a function of `Debug`.
    Success,
}

/// Replaces the functions that panic by traps, those of `Debug` by ones that write nothing, and the places in sources by zeros. A module
/// without names stays as it is.
pub(crate) fn without_texts(module: &[u8]) -> Result<Vec<u8>> {
    let replaced = replacements(module)?;
    if replaced.is_empty() {
        return Ok(module.to_vec());
    }
    without_places(with_replacements(module, &replaced)?)
}

fn with_replacements(module: &[u8], instead: &HashMap<usize, Instead>) -> Result<Vec<u8>> {
    let mut out = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("this is not a WebAssembly module")?;
        if let Payload::CodeSectionStart { range, .. } = &payload {
            let start = usize::try_from(range.start)?;
            let bytes = &module[start..usize::try_from(range.end)?];
            out.section(&replaced(CodeSectionReader::new(BinaryReader::new(bytes, 0))?, bytes, instead)?);
        } else if let Some((id, range)) = payload.as_section() {
            let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
            out.section(&RawSection { id, data: &module[range] });
        }
    }
    Ok(out.finish())
}

/// The section of these functions, some of them replaced.
fn replaced(
    functions: CodeSectionReader<'_>,
    bytes: &[u8],
    instead: &HashMap<usize, Instead>,
) -> Result<CodeSection> {
    let mut code = CodeSection::new();
    for (index, body) in functions.into_iter().enumerate() {
        let range = body?.range();
        let mut short = Function::new([]);
        match instead.get(&index) {
            Some(Instead::Trap) => short.instructions().unreachable().end(),
            Some(Instead::Success) => short.instructions().i32_const(0).end(),
            None => {
                code.raw(&bytes[usize::try_from(range.start)?..usize::try_from(range.end)?]);
                continue;
            }
        };
        code.function(&short);
    }
    Ok(code)
}

/// Overwrites all constants of the type `core::panic::Location`, and the paths that they name, with zeros. Nothing reads them any more.
///
/// A place is four numbers of 32 bits: the address and the length of a path, a line and a column.
fn without_places(mut module: Vec<u8>) -> Result<Vec<u8>> {
    let segments = segments(&module)?;
    let at = |address: u32, length: u32| {
        let found = segments.iter().find_map(|(start, range)| {
            let from = range.start + usize::try_from(address.checked_sub(*start)?).ok()?;
            Some(from..from + usize::try_from(length).ok()?).filter(|found| found.end <= range.end)
        });
        found.filter(|_| (1..=LONGEST_PATH).contains(&length))
    };
    let mut blank = Vec::new();
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
                blank.extend([place..place + PLACE_BYTES, path]);
            }
        }
    }
    for range in blank {
        module[range].fill(0);
    }
    Ok(module)
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

/// The functions to replace, by their places among those that are not imported.
fn replacements(module: &[u8]) -> Result<HashMap<usize, Instead>> {
    let mut imported = 0;
    let (mut has_one_number, mut types) = (Vec::new(), Vec::new());
    let mut found = HashMap::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::TypeSection(section) => {
                for one in section.into_iter_err_on_gc_types() {
                    has_one_number.push(one?.results() == [ValType::I32]);
                }
            }
            Payload::FunctionSection(section) => {
                types = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CustomSection(section) => {
                let KnownCustom::Name(names) = section.as_known() else { continue };
                for name in names {
                    let Name::Function(names) = name? else { continue };
                    for naming in names {
                        let naming = naming?;
                        let place = (naming.index as usize).checked_sub(imported);
                        found.extend(place.and_then(|place| Some((place, replacement(naming.name)?))));
                    }
                }
            }
            _ => {}
        }
    }
    // The compiler drops a result that nobody reads.
    let returns_number = |place: usize| types.get(place).is_some_and(|ty: &u32| has_one_number[*ty as usize]);
    found.retain(|place, instead| *instead == Instead::Trap || returns_number(*place));
    Ok(found)
}

/// The replacement of a function, by its mangled name; `None` for a function that stays.
fn replacement(name: &str) -> Option<Instead> {
    match name {
        name if is_panic(name) => Some(Instead::Trap),
        name if is_debug(name) => Some(Instead::Success),
        _ => None,
    }
}

/// Whether a function is `<T as Debug>::fmt`, by its mangled name.
fn is_debug(name: &str) -> bool {
    match name.strip_prefix("_ZN") {
        Some(path) => path.contains("core..fmt..Debug$GT$3fmt17h"),
        // A method of an implementation of a trait: the trait's path ends before the method's name.
        None => name.starts_with("_RNvX") && name.contains("5Debug3fmt"),
    }
}

/// Whether a function never returns, by its mangled name.
fn is_panic(name: &str) -> bool {
    // The path comes first; the types of a generic function follow it.
    let path = match (name.strip_prefix("_ZN"), name.find("Cs")) {
        (Some(path), _) => path,
        // `_R`, the kinds of the path's parts, and the crate with its hash: `_RNvNtCs9KMN2VnEzCt_4core9panicking5panic`.
        (None, Some(at))
            if name.starts_with("_R") && name[2..at].bytes().all(|kind| b"INvt".contains(&kind)) =>
        {
            name[at..].split_once('_').map_or("", |(_, path)| path)
        }
        _ => return false,
    };
    path.starts_with(PANICKING) || DIVERGING.iter().any(|one| path.starts_with(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_found_in_both_manglings() {
        for name in [
            "_ZN4core9panicking9panic_fmt17h0123456789abcdefE",
            "_ZN4core6option13unwrap_failed17h0123456789abcdefE",
            "_RNvNtCs9KMN2VnEzCt_4core9panicking9panic_fmt",
            "_RNvNtNtCs9KMN2VnEzCt_4core9panicking11panic_const23panic_const_div_by_zero",
            "_RINvNtCs9KMN2VnEzCt_4core9panicking13assert_failedjjECs1x_8frontend",
            "_RNvNtCs9KMN2VnEzCt_4core6result13unwrap_failed",
        ] {
            assert!(is_panic(name), "{name}");
        }
        for name in [
            "_ZN3std9panicking8set_hook17h0123456789abcdefE",
            "_RNvNtCs9KMN2VnEzCt_3std9panicking8set_hook",
            "_RINvNtCs9KMN2VnEzCt_4core3ptr13drop_in_placeNtNtBy_9panicking8LocationECs2y_8frontend",
            "_ZN4core6option15Option$LT$T$GT$6unwrap17h0123456789abcdefE",
            "panic_fmt",
        ] {
            assert!(!is_panic(name), "{name}");
        }
    }

    #[test]
    fn functions_of_debug_are_found_in_both_manglings() {
        for name in [
            "_ZN61_$LT$chat..model..Phase$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE",
            "_RNvXs_NtCs1x_10chat_model5modelNtB4_5PhaseNtNtCs9KMN2VnEzCt_4core3fmt5Debug3fmt",
            "_RNvXsa_NtCs1x_4http3uriNtB5_3UriNtNtCs9KMN2VnEzCt_4core3fmt5Debug3fmtCs2y_8frontend",
        ] {
            assert_eq!(replacement(name), Some(Instead::Success), "{name}");
        }
        for name in [
            "_ZN61_$LT$chat..model..Phase$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE",
            "_RNvXs_NtCs1x_10chat_model5modelNtB4_5PhaseNtNtCs9KMN2VnEzCt_4core3fmt7Display3fmt",
            "_RNvNtNtCs9KMN2VnEzCt_4core3fmt8builders15debug_struct_new",
        ] {
            assert_eq!(replacement(name), None, "{name}");
        }
    }

    #[test]
    fn a_module_without_names_keeps_its_functions() {
        let mut functions = wasm_encoder::FunctionSection::new();
        functions.function(0);
        let mut types = wasm_encoder::TypeSection::new();
        types.ty().function([], []);
        let mut body = Function::new([]);
        body.instructions().nop().end();
        let mut code = CodeSection::new();
        code.function(&body);
        let named = |name: Option<&str>| {
            let mut module = Module::new();
            module.section(&types).section(&functions).section(&code);
            if let Some(name) = name {
                let mut map = wasm_encoder::NameMap::new();
                map.append(0, name);
                let mut names = wasm_encoder::NameSection::new();
                names.functions(&map);
                module.section(&names);
            }
            module.finish()
        };
        for name in [None, Some("_ZN4core3fmt5write17h0123456789abcdefE")] {
            assert_eq!(without_texts(&named(name)).unwrap(), named(name));
        }
        let panics = named(Some("_ZN4core9panicking5panic17h0123456789abcdefE"));
        assert_ne!(without_texts(&panics).unwrap(), panics);
        // It has no result, so it cannot return success.
        let debug = named(Some("_ZN1_$LT$u8$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE"));
        assert_eq!(without_texts(&debug).unwrap(), debug);
    }

    #[test]
    fn places_in_sources_are_blanked_and_other_data_stays() {
        let path = b"library/core/src/lib.rs";
        let mut bytes = [&b"text"[..], path, b"\0"].concat();
        for number in [1_004, path.len() as u32, 12, 5, 1_000, 4, 12, 5] {
            bytes.extend(number.to_le_bytes());
        }
        let module = |bytes: &[u8]| {
            let mut data = wasm_encoder::DataSection::new();
            data.active(0, &wasm_encoder::ConstExpr::i32_const(1_000), bytes.iter().copied());
            let mut module = Module::new();
            module.section(&data);
            module.finish()
        };
        let before = module(&bytes);
        // The path, and the first of the two places: the other one names no path.
        bytes[4..4 + path.len()].fill(0);
        bytes[28..44].fill(0);
        assert_eq!(without_places(before).unwrap(), module(&bytes));
    }
}
