//! Panics without their texts: the functions that end a program become a trap. Its stack stays in the browser's console; the sentence, the
//! code that formats it, and the places in the sources are no part of the page. Nor are the texts of `Debug`, which are for developers: its
//! functions write nothing.
//!
//! Functions that nothing calls without spread attributes become traps, too (`panics/spread.rs`).
//!
//! In a program of the linker, whose relocations say what names what, the sentences lose their names, so that splitting the program drops
//! them.

mod dead_code;
mod places;
mod relocations;
mod spread;

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, Result};
use wasmparser::{FunctionBody, KnownCustom, Name, Parser, Payload, TypeRef, ValType};

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

/// The replacement of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Instead {
    /// A trap, for a function that panics.
    Trap,
    /// The result `Ok(())`, for a function of `Debug`.
    Success,
}

/// WebAssembly's instructions that appear in place of others.
const NOP: u8 = 0x01;
const UNREACHABLE: u8 = 0x00;
const ZERO: [u8; 2] = [0x41, 0];
const END: u8 = 0x0b;

/// Replaces the functions that panic by traps, with their calls and what only prepares these, those of `Debug` by ones that write
/// nothing, and the places in sources by zeros. A module without names stays as it is.
///
/// Nothing moves: instructions that are gone are `nop`s, for wasm-opt to remove.
pub(crate) fn without_texts(module: &[u8]) -> Result<Vec<u8>> {
    let functions = Functions::parse(module)?;
    let mut edited = module.to_vec();
    if functions.replaced.is_empty() {
        return Ok(edited);
    }
    let mut blank = Vec::new();
    for range in functions.dead_code()? {
        edited[range.clone()].fill(NOP);
        edited[range.end - 1] = UNREACHABLE;
        blank.push(range);
    }
    for (index, instead) in &functions.replaced {
        let Some(body) = functions.body(*index) else { continue };
        let start = usize::try_from(body.get_operators_reader()?.original_position())?;
        let range = start..usize::try_from(body.range().end)?;
        let new: &[u8] = match instead {
            Instead::Trap => &[UNREACHABLE, END],
            Instead::Success => &[ZERO[0], ZERO[1], END],
        };
        if let Some(nops) = range.len().checked_sub(new.len()) {
            edited[range.clone()].fill(NOP);
            edited[start + nops..range.end].copy_from_slice(new);
            blank.push(range);
        }
    }
    for range in places::find(module)? {
        edited[range.clone()].fill(0);
        blank.push(range);
    }
    relocations::without(&edited, blank)
}

/// The functions of a module.
struct Functions<'a> {
    imported: u32,
    bodies: Vec<FunctionBody<'a>>,
    /// Replacements of some of them, by their numbers.
    replaced: HashMap<u32, Instead>,
}

impl<'a> Functions<'a> {
    fn parse(module: &'a [u8]) -> Result<Self> {
        let (mut imported, mut bodies, mut replaced) = (0, Vec::new(), HashMap::new());
        let (mut has_one_number, mut types) = (Vec::new(), Vec::new());
        let (mut spreads, mut for_spreading) = (false, Vec::new());
        for payload in Parser::new(0).parse_all(module) {
            match payload.context("this is not a WebAssembly module")? {
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
                        imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::CodeSectionEntry(body) => bodies.push(body),
                Payload::CustomSection(section) => {
                    let KnownCustom::Name(names) = section.as_known() else { continue };
                    for name in names {
                        let Name::Function(names) = name? else { continue };
                        for naming in names {
                            let naming = naming?;
                            replaced.extend(replacement(naming.name).map(|instead| (naming.index, instead)));
                            spreads |= spread::is_caller(naming.name);
                            for_spreading.extend(spread::is_callee(naming.name).then_some(naming.index));
                        }
                    }
                }
                _ => {}
            }
        }
        let own = |index: u32| bodies.get(index.checked_sub(imported)? as usize);
        for_spreading.retain(|index| !spreads && own(*index).is_some_and(spread::calls));
        replaced.extend(for_spreading.into_iter().map(|index| (index, Instead::Trap)));
        // The compiler drops a result that nobody reads.
        let returns_number = |index: u32| {
            let ty: Option<&u32> = types.get(index.checked_sub(imported)? as usize);
            ty.map(|ty| has_one_number[*ty as usize])
        };
        replaced.retain(|index, instead| *instead == Instead::Trap || returns_number(*index) == Some(true));
        Ok(Self { imported, bodies, replaced })
    }

    fn body(&self, index: u32) -> Option<&FunctionBody<'a>> {
        self.bodies.get(index.checked_sub(self.imported)? as usize)
    }

    /// The places of code that only leads to a panic.
    fn dead_code(&self) -> Result<Vec<std::ops::Range<usize>>> {
        let traps = self.replaced.iter().filter(|(_, instead)| **instead == Instead::Trap);
        let mut diverging: HashSet<u32> = traps.map(|(index, _)| *index).collect();
        loop {
            let known = diverging.len();
            let mut dead = Vec::new();
            for (index, body) in (self.imported..).zip(&self.bodies) {
                if self.replaced.contains_key(&index) {
                    continue;
                }
                let found = dead_code::find(body, &diverging)?;
                dead.extend(found.ranges);
                diverging.extend(found.only_panics.then_some(index));
            }
            // A function that only panics makes its own calls dead.
            if diverging.len() == known {
                return Ok(dead);
            }
        }
    }
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
    use wasm_encoder::{CodeSection, Function, Module};

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
}
