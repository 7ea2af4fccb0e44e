//! What each crate adds to the page's code: the functions in the WebAssembly module, by the first crate in
//! their names.
//!
//! The module is built once more, with names in it. A generic function counts for the crate that wrote it,
//! not for the one that called for it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail};
use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

use crate::command::{cargo, program};
use crate::page::WASM_FEATURES;
use crate::server::target;
use crate::step::Steps;
use crate::tools::Tools;

/// Crates smaller than this, in bytes, are one line together.
const WORTH_A_LINE: usize = 1_000;
/// What wasm-opt made out of pieces of several functions has no name, and what JavaScript calls has another.
const UNNAMED: &str = "without a crate's name";

pub(super) fn run() -> Result<()> {
    let mut steps = Steps::new(2);
    let tools = steps.step("Tools", Tools::set_up)?;
    let module = steps.step("Page with names; the first time takes some minutes", || build(&tools))?;
    let module = Module::parse(&module)?;

    let mut crates = BTreeMap::<_, usize>::new();
    for (name, size) in &module.functions {
        *crates.entry(crate_of(name)).or_default() += size;
    }
    let code: usize = crates.values().sum();
    let mut crates: Vec<_> = crates.into_iter().collect();
    crates.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let small = crates.iter().position(|(_, size)| *size < WORTH_A_LINE).unwrap_or(crates.len());

    println!("\n| crate | bytes of code | share |\n|---|---:|---:|");
    let line = |name: &str, size: usize| {
        println!("| {name} | {size} | {:.1} % |", size as f64 / code as f64 * 100.0);
    };
    for (name, size) in &crates[..small] {
        line(name, *size);
    }
    let rest = &crates[small..];
    line(&format!("{} smaller ones", rest.len()), rest.iter().map(|(_, size)| size).sum());
    line("all code", code);
    println!("\nConstant data beside the code: {} bytes. Nothing here is compressed.", module.data);
    Ok(())
}

/// The page's program as WebAssembly, optimised as for visitors, with the functions' names.
fn build(tools: &Tools) -> Result<Vec<u8>> {
    let words =
        "build --package frontend --bin frontend --target wasm32-unknown-unknown --profile wasm-release";
    cargo(words.split(' '))
        // Names that say which types a generic function was made for.
        .arguments(["--config", "target.wasm32-unknown-unknown.rustflags=['-Csymbol-mangling-version=v0']"])
        .env("CARGO_PROFILE_WASM_RELEASE_STRIP", "debuginfo")
        .run()?;
    let built = target().join("wasm32-unknown-unknown/wasm-release/frontend.wasm");
    let Some(wasm_opt) = &tools.wasm_opt else { return Ok(fs::read(built)?) };
    let smaller = target().join("frontend-with-names.wasm");
    program(wasm_opt, ["-Oz", "-g"])
        .arguments([built.as_os_str(), "-o".as_ref(), smaller.as_os_str()])
        .arguments(WASM_FEATURES)
        .quiet()?;
    Ok(fs::read(smaller)?)
}

/// What is looked at of a module.
#[derive(Debug, Default)]
struct Module {
    /// Name and bytes of each function.
    functions: Vec<(String, usize)>,
    /// Bytes of constant data.
    data: usize,
}

impl Module {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut module = Self::default();
        let mut imported = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.context("this is no WebAssembly module")? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    module.functions.push((String::new(), body.range().len()));
                }
                Payload::DataSection(data) => module.data = data.range().len(),
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        for name in names {
                            if let Name::Function(names) = name? {
                                module.name(names, imported)?;
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        if module.functions.iter().all(|(name, _)| name.is_empty()) {
            bail!("the module has no names");
        }
        Ok(module)
    }

    fn name(&mut self, names: wasmparser::NameMap<'_>, imported: usize) -> Result<()> {
        for naming in names {
            let naming = naming?;
            let index = (naming.index as usize).checked_sub(imported);
            if let Some(function) = index.and_then(|index| self.functions.get_mut(index)) {
                naming.name.clone_into(&mut function.0);
            }
        }
        Ok(())
    }
}

/// The first crate in a function's name that is not Rust's own, or Rust's own.
///
/// In a mangled name a crate is `C`, a number in base 62 after `s`, `_`, its length and its name:
/// `Cs9KMN2VnEzCt_6leptos`.
fn crate_of(name: &str) -> &str {
    let mut own = None;
    for (at, _) in name.match_indices("Cs") {
        let Some(krate) = crate_at(&name[at + 2..]) else { continue };
        if !["core", "alloc", "std"].contains(&krate) {
            return krate;
        }
        own = Some("Rust's own");
    }
    own.unwrap_or(UNNAMED)
}

fn crate_at(text: &str) -> Option<&str> {
    let (number, rest) = text.split_once('_')?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
    let (length, rest) = rest.split_at(digits);
    let length = length.parse().ok()?;
    number.chars().all(|digit| digit.is_ascii_alphanumeric()).then(|| rest.get(..length))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_counts_for_the_first_crate_that_is_not_rusts_own() {
        let drop = "_RINvNtCs9KMN2VnEzCt_4core3ptr13drop_in_placeNtCs1x_6leptos4ViewECs2y_8frontend";
        assert_eq!(crate_of(drop), "leptos");
        assert_eq!(crate_of("_RNvNtCs9KMN2VnEzCt_4core3str20slice_error_fail_rt"), "Rust's own");
        assert_eq!(crate_of("__wbindgen_malloc"), UNNAMED);
    }
}
