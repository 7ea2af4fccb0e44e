//! The names by which a WebAssembly module and its JavaScript know each other.
//!
//! wasm-bindgen makes them unique by 16 hexadecimal digits each, which stand in both files and do not compress.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{ExportSection, ImportSection, Module, RawSection};
use wasmparser::{Export, Import, Parser, Payload};

/// Short names by long ones.
pub(crate) type ShortNames = BTreeMap<String, String>;

/// The names of a module that only generated code uses, so that both sides may rename them.
pub(crate) fn generated(module: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.context("this is not a WebAssembly module")? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    names.push(import?.name.to_owned());
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    names.push(export?.name.to_owned());
                }
            }
            _ => {}
        }
    }
    names.retain(|name| is_generated(name));
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// wasm-bindgen's script without the lines that run for each class when the script is loaded: for them a bundler keeps classes that nobody
/// uses, and with them their exports.
pub(crate) fn without_disposers(glue: &str) -> String {
    glue.lines().filter(|line| !line.starts_with("if (Symbol.dispose) ")).collect::<Vec<_>>().join("\n")
}

/// Whether nobody but wasm-bindgen writes `name`: two underscores begin it, or the hexadecimal digits end it.
fn is_generated(name: &str) -> bool {
    // The functions that load parts are exports of a script, and these have no properties to rename.
    if name.starts_with("__wasm_split_load_") {
        return false;
    }
    let digits = name.rsplit('_').next().unwrap_or_default().trim_start_matches('h');
    name.starts_with("__") || digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `module` with short names. Exports that `script`, the bundle of all JavaScript, does not use are dropped.
pub(crate) fn shorten(module: &[u8], names: &ShortNames, script: &str) -> Result<Vec<u8>> {
    let mut out = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("this is not a WebAssembly module")?;
        match &payload {
            Payload::ImportSection(section) => {
                let mut imports = ImportSection::new();
                for import in section.clone().into_imports() {
                    let import = import?;
                    let name = match names.get(import.name) {
                        Some(short) => short,
                        None if is_generated(import.name) => {
                            bail!("the script has no import {}", import.name)
                        }
                        None => import.name,
                    };
                    RoundtripReencoder
                        .parse_import(&mut imports, Import { name, ..import })
                        .context("cannot write an import")?;
                }
                out.section(&imports);
            }
            Payload::ExportSection(section) => {
                let mut exports = ExportSection::new();
                for export in section.clone() {
                    let export = export?;
                    let name = match names.get(export.name) {
                        Some(short) => short,
                        None if is_generated(export.name) || !script.contains(export.name) => continue,
                        None => export.name,
                    };
                    RoundtripReencoder
                        .parse_export(&mut exports, Export { name, ..export })
                        .context("cannot write an export")?;
                }
                out.section(&exports);
            }
            // The names of functions are for debuggers.
            Payload::CustomSection(section) if section.name() == "name" => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
                    out.section(&RawSection { id, data: &module[range] });
                }
            }
        }
    }
    Ok(out.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{CodeSection, EntityType, ExportKind, Function, FunctionSection, TypeSection};

    /// A module that imports `__wbg_fetch_…` and exports `__wbindgen_malloc` and `main`.
    fn module() -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut imports = ImportSection::new();
        imports.import("./a_bg.js", "__wbg_fetch_0123456789abcdef", EntityType::Function(0));
        let mut functions = FunctionSection::new();
        functions.function(0);
        let mut exports = ExportSection::new();
        exports.export("main", ExportKind::Func, 1).export("__wbindgen_malloc", ExportKind::Func, 1);
        let mut code = CodeSection::new();
        let mut body = Function::new([]);
        body.instructions().end();
        code.function(&body);
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&exports).section(&code);
        module.finish()
    }

    fn names(module: &[u8]) -> Vec<String> {
        let mut names = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload.unwrap() {
                Payload::ImportSection(imports) => {
                    names.extend(imports.into_imports().map(|import| import.unwrap().name.to_owned()));
                }
                Payload::ExportSection(exports) => {
                    names.extend(exports.into_iter().map(|export| export.unwrap().name.to_owned()));
                }
                _ => {}
            }
        }
        names
    }

    #[test]
    fn only_names_that_wasm_bindgen_made_are_shortened() {
        assert_eq!(generated(&module()).unwrap(), ["__wbg_fetch_0123456789abcdef", "__wbindgen_malloc"]);
        assert!(is_generated("wasm_bindgen_convert_closures_h0123456789abcdef"));
        assert!(!is_generated("memory"));
    }

    #[test]
    fn imports_get_short_names_and_unused_exports_are_dropped() {
        let short = BTreeMap::from([("__wbg_fetch_0123456789abcdef".to_owned(), "a".to_owned())]);
        assert_eq!(names(&shorten(&module(), &short, "wasm.main()").unwrap()), ["a", "main"]);
        assert_eq!(names(&shorten(&module(), &short, "").unwrap()), ["a"]);
    }

    #[test]
    fn a_class_runs_nothing_when_it_is_loaded() {
        let glue =
            "class A {\n}\nif (Symbol.dispose) A.prototype[Symbol.dispose] = A.prototype.free;\nlet b;";
        assert_eq!(without_disposers(glue), "class A {\n}\nlet b;");
    }

    #[test]
    fn an_import_that_the_script_lacks_is_an_error() {
        let error = shorten(&module(), &ShortNames::new(), "").unwrap_err();
        assert_eq!(error.to_string(), "the script has no import __wbg_fetch_0123456789abcdef");
    }
}
