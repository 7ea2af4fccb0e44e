//! Panics without their texts: the functions that end a program become a trap. Its stack stays in the browser's console; the sentence, and
//! the code that formats it, are no part of the page.

use std::collections::HashSet;

use anyhow::{Context as _, Result};
use wasm_encoder::{CodeSection, Function, Module, RawSection};
use wasmparser::{BinaryReader, CodeSectionReader, KnownCustom, Name, Parser, Payload, TypeRef};

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

/// The module of which no function returns.
const PANICKING: &str = "4core9panicking";

/// Replaces the functions that panic by traps. A module without names stays as it is.
pub(crate) fn without_texts(module: &[u8]) -> Result<Vec<u8>> {
    let panics = panics(module)?;
    let mut out = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("this is not a WebAssembly module")?;
        if let Payload::CodeSectionStart { range, .. } = &payload {
            let start = usize::try_from(range.start)?;
            let bytes = &module[start..usize::try_from(range.end)?];
            out.section(&replaced(CodeSectionReader::new(BinaryReader::new(bytes, 0))?, bytes, &panics)?);
        } else if let Some((id, range)) = payload.as_section() {
            let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
            out.section(&RawSection { id, data: &module[range] });
        }
    }
    Ok(out.finish())
}

/// The section of these functions, with traps in the places of those in `panics`.
fn replaced(functions: CodeSectionReader<'_>, bytes: &[u8], panics: &HashSet<usize>) -> Result<CodeSection> {
    let mut code = CodeSection::new();
    for (index, body) in functions.into_iter().enumerate() {
        let range = body?.range();
        if panics.contains(&index) {
            let mut trap = Function::new([]);
            trap.instructions().unreachable().end();
            code.function(&trap);
        } else {
            code.raw(&bytes[usize::try_from(range.start)?..usize::try_from(range.end)?]);
        }
    }
    Ok(code)
}

/// The places of the functions that panic, among those that are not imported.
fn panics(module: &[u8]) -> Result<HashSet<usize>> {
    let mut imported = 0;
    let mut panics = HashSet::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
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
                        let index = (naming.index as usize).checked_sub(imported);
                        panics.extend(index.filter(|_| is_panic(naming.name)));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(panics)
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
    }
}
