//! The functions that a program gives to JavaScript, without those of which its script makes no use.
//!
//! wasm-opt drops them as well, but only the code that nothing else names. Before the program is split, the linker's relocations tell also
//! which tables of methods belong to them, and which functions stand in these tables alone.

use std::collections::HashSet;

use anyhow::{Context as _, Result};
use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{ExportSection, Module, RawSection};
use wasmparser::{Parser, Payload};

/// The beginning of the name of the function by which wasm-bindgen learns the types of another one; the other's name follows.
const DESCRIPTION: &str = "__wbindgen_describe_";

/// `program`, as the linker made it, without the functions that wasm-bindgen exports for scripts and that `script`, the bundle of its
/// JavaScript with long names, does not name.
pub(crate) fn without_unused(program: &[u8], script: &str) -> Result<Vec<u8>> {
    let unused = unused(program, script)?;
    let mut out = Module::new();
    for payload in Parser::new(0).parse_all(program) {
        let payload = payload.context("this is not a WebAssembly module")?;
        if let Payload::ExportSection(section) = &payload {
            let mut exports = ExportSection::new();
            for export in section.clone() {
                let export = export?;
                if !unused.contains(export.name) {
                    RoundtripReencoder
                        .parse_export(&mut exports, export)
                        .context("cannot write an export")?;
                }
            }
            out.section(&exports);
        } else if let Some((id, range)) = payload.as_section() {
            let data = &program[usize::try_from(range.start)?..usize::try_from(range.end)?];
            out.section(&RawSection { id, data });
        }
    }
    Ok(out.finish())
}

/// The names of the exports to drop: methods and destructors of classes that the script lacks, and the descriptions of the methods.
fn unused(program: &[u8], script: &str) -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    for payload in Parser::new(0).parse_all(program) {
        if let Payload::ExportSection(exports) = payload.context("this is not a WebAssembly module")? {
            for export in exports {
                names.insert(export?.name);
            }
        }
    }
    let mut unused = HashSet::new();
    for name in names.iter().filter(|name| !script.contains(**name)) {
        let description = [DESCRIPTION, name].concat();
        if names.contains(description.as_str()) {
            unused.extend([(*name).to_owned(), description]);
        } else if name.starts_with("__wbg_") && name.contains("_free_") {
            unused.insert((*name).to_owned());
        }
    }
    Ok(unused)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{CodeSection, ExportKind, Function, FunctionSection, TypeSection};

    use super::*;

    fn program(exports: &[&str]) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut functions = FunctionSection::new();
        functions.function(0);
        let mut section = ExportSection::new();
        for name in exports {
            section.export(name, ExportKind::Func, 0);
        }
        let mut code = CodeSection::new();
        let mut body = Function::new([]);
        body.instructions().end();
        code.function(&body);
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&section).section(&code);
        module.finish()
    }

    #[test]
    fn classes_that_the_script_lacks_are_dropped() {
        let [used, unused] =
            ["used_pull_01", "unused_pull_02"].map(|name| [name.to_owned(), [DESCRIPTION, name].concat()]);
        let free = ["__wbg_used_free_03", "__wbg_unused_free_04"];
        let others = ["main", "__wbindgen_malloc", "__wbindgen_describe___wbg_log_05"];
        let all: Vec<&str> =
            used.iter().chain(&unused).map(String::as_str).chain(free).chain(others).collect();
        let kept: Vec<&str> = used.iter().map(String::as_str).chain([free[0]]).chain(others).collect();
        let script = "wasm.used_pull_01();wasm.__wbg_used_free_03()";
        assert_eq!(without_unused(&program(&all), script).unwrap(), program(&kept));
    }
}
