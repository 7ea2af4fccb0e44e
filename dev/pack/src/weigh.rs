//! The size of each crate's code in a WebAssembly module, by the first crate in the functions' names.
//!
//! A generic function counts for the crate that defines it, not for its caller.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

/// Smaller crates, in bytes, share one line.
const WORTH_A_LINE: usize = 1_000;
/// Functions that wasm-opt has assembled, and exports.
const UNNAMED: &str = "without a crate's name";

/// Prints the table for a module with names.
pub(crate) fn run(module: &[u8]) -> Result<()> {
    let module = Module::parse(module)?;
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

/// The parts of a module that count.
#[derive(Debug, Default)]
struct Module {
    /// Name and bytes of each function.
    functions: Vec<(String, usize)>,
    /// Bytes of constant data.
    data: usize,
}

fn length(range: &std::ops::Range<u64>) -> Result<usize> {
    Ok(usize::try_from(range.end - range.start)?)
}

impl Module {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut module = Self::default();
        let mut imported = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.context("this is not a WebAssembly module")? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    module.functions.push((String::new(), length(&body.range())?));
                }
                Payload::DataSection(data) => module.data = length(&data.range())?,
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
