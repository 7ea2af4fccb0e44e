//! Modules that parts of a program share, put together: each module is a request, and compresses worse the smaller it is.

use std::collections::BTreeSet;
use std::convert::Infallible;

use anyhow::{Context as _, Result, anyhow, ensure};
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{
    CodeSection, DataSection, ElementSection, FunctionSection, ImportSection, Module, RawSection, SectionId,
};
use wasmparser::{Import, Parser, Payload};

/// One module with everything in `modules`: parts of one program, which share its types, memory and table and import no functions.
pub(crate) fn merged(modules: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut merged = Merged::default();
    for module in modules {
        merged.add(module)?;
    }
    merged.finish()
}

/// The names of everything that `modules` import.
pub(crate) fn imports<'a>(modules: impl Iterator<Item = &'a Vec<u8>>) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for module in modules {
        for payload in Parser::new(0).parse_all(module) {
            if let Payload::ImportSection(section) = payload? {
                for import in section.into_imports() {
                    names.insert(import?.name.to_owned());
                }
            }
        }
    }
    Ok(names)
}

/// The sections of the new module.
#[derive(Default)]
struct Merged<'a> {
    types: &'a [u8],
    imports: Vec<Import<'a>>,
    functions: FunctionSection,
    elements: ElementSection,
    code: CodeSection,
    data: DataSection,
}

impl<'a> Merged<'a> {
    fn add(&mut self, module: &'a [u8]) -> Result<()> {
        let mut shift = Shift { functions: self.functions.len() };
        for payload in Parser::new(0).parse_all(module) {
            match payload.context("this is not a WebAssembly module")? {
                Payload::TypeSection(section) => {
                    let range = section.range();
                    let types = &module[usize::try_from(range.start)?..usize::try_from(range.end)?];
                    ensure!(self.types.is_empty() || self.types == types, "two parts have other types");
                    self.types = types;
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        if !self.imports.contains(&import) {
                            self.imports.push(import);
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        self.functions.function(ty?);
                    }
                }
                Payload::ElementSection(section) => {
                    written(shift.parse_element_section(&mut self.elements, section))?;
                }
                Payload::CodeSectionEntry(body) => {
                    written(shift.parse_function_body(&mut self.code, body))?;
                }
                Payload::DataSection(section) => {
                    for data in section {
                        let data = data?;
                        if !data.data.is_empty() {
                            written(shift.parse_data(&mut self.data, data))?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>> {
        let mut imports = ImportSection::new();
        for import in self.imports {
            let mut shift = Shift { functions: 0 };
            written(shift.parse_import(&mut imports, import))?;
        }
        let mut module = Module::new();
        module.section(&RawSection { id: SectionId::Type.into(), data: self.types }).section(&imports);
        module.section(&self.functions).section(&self.elements).section(&self.code).section(&self.data);
        Ok(module.finish())
    }
}

fn written<T>(result: Result<T, Error<Infallible>>) -> Result<T> {
    result.map_err(|error| anyhow!("cannot write a part: {error}"))
}

/// Numbers functions from another one on.
struct Shift {
    functions: u32,
}

impl Reencode for Shift {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        Ok(index + self.functions)
    }
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{ConstExpr, Elements, EntityType, Function, MemoryType, TypeSection};
    use wasmparser::{ElementItems, Operator};

    use super::*;

    /// A part with two functions, of which the first calls the second, which is in the table at `place`, and with an empty segment of
    /// data before one with `text`.
    fn part(place: i32, text: &[u8]) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut imports = ImportSection::new();
        let memory =
            MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
        imports.import("__wasm_split", "memory", EntityType::Memory(memory));
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        for call in [true, false] {
            functions.function(0);
            let mut body = Function::new([]);
            if call {
                body.instructions().call(1);
            }
            body.instructions().end();
            code.function(&body);
        }
        let mut elements = ElementSection::new();
        elements.active(None, &ConstExpr::i32_const(place), Elements::Functions([1].as_slice().into()));
        let mut data = DataSection::new();
        data.active(0, &ConstExpr::i32_const(0), []);
        data.active(0, &ConstExpr::i32_const(place), text.iter().copied());
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&elements);
        module.section(&code).section(&data);
        module.finish()
    }

    #[test]
    fn functions_tables_and_data_of_all_parts_are_there() {
        let module = merged(&[part(3, b"one"), part(5, b"two")]).unwrap();
        let (mut calls, mut elements, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for payload in Parser::new(0).parse_all(&module) {
            match payload.unwrap() {
                Payload::ElementSection(section) => {
                    for element in section {
                        let ElementItems::Functions(items) = element.unwrap().items else { panic!() };
                        elements.extend(items.into_iter().map(Result::unwrap));
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    for operator in body.get_operators_reader().unwrap() {
                        if let Operator::Call { function_index } = operator.unwrap() {
                            calls.push(function_index);
                        }
                    }
                }
                Payload::DataSection(section) => {
                    texts.extend(section.into_iter().map(|data| data.unwrap().data));
                }
                _ => {}
            }
        }
        assert_eq!((calls, elements), (vec![1, 3], vec![1, 3]));
        assert_eq!(texts, [b"one", b"two"]);
        assert_eq!(imports([module].iter()).unwrap(), BTreeSet::from(["memory".to_owned()]));
    }

    #[test]
    fn parts_of_two_programs_are_refused() {
        let mut types = TypeSection::new();
        types.ty().function([], [wasm_encoder::ValType::I32]);
        let mut other = Module::new();
        other.section(&types);
        assert!(merged(&[part(3, b""), other.finish()]).is_err());
    }
}
