//! The order of a module's functions: similar ones stand together, so that what they have in common compresses better.
//!
//! A compressor writes a repetition as the distance to what it repeats. The compiler and wasm-opt put functions in an order of their own,
//! in which the copies of one generic function are far apart.

use std::convert::Infallible;

use anyhow::{Result, anyhow};
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, FunctionSection, Module};
use wasmparser::{CodeSectionReader, FunctionSectionReader, Parser, Payload, TypeRef};

/// Bytes of the pieces by which functions are compared: of an instruction, and of an instruction with more and more neighbours.
const PIECES: [usize; 4] = [2, 4, 6, 12];
/// Hashes of a function's pieces that are kept, each the smallest by another hash function (MinHash); as many for each length of a piece.
/// Their agreement between two functions estimates the share of pieces that both have.
const HASHES: usize = 512;
/// Weights of the similarity to the last function of the order, and to the one before it.
const WEIGHTS: [usize; 2] = [2, 1];

/// The hashes by which a function is compared with others.
type Signature = [u64; HASHES];

/// `module` with its functions in an order that compresses well. Its meaning stays the same.
pub(crate) fn by_similarity(module: &[u8]) -> Result<Vec<u8>> {
    let (imported, bodies) = functions(module)?;
    let order = chain(&bodies);
    let mut new_places = vec![0; order.len()];
    for (new, old) in (0..).zip(&order) {
        new_places[*old] = new;
    }
    let mut out = Module::new();
    let written = Reorder { imported, order, new_places }.parse_core_module(&mut out, Parser::new(0), module);
    written.map_err(|error| anyhow!("cannot write the functions in another order: {error}"))?;
    Ok(out.finish())
}

/// The number of imported functions, and the bodies of the others.
fn functions(module: &[u8]) -> Result<(u32, Vec<&[u8]>)> {
    let (mut imported, mut bodies) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                bodies.push(&module[usize::try_from(range.start)?..usize::try_from(range.end)?]);
            }
            _ => {}
        }
    }
    Ok((imported, bodies))
}

/// The places of all bodies in a new order: the largest first, and after each one the most similar to it and to the one before it.
fn chain(bodies: &[&[u8]]) -> Vec<usize> {
    let signatures: Vec<Signature> = bodies.iter().map(|body| signature(body)).collect();
    let mut left: Vec<usize> = (0..bodies.len()).collect();
    left.sort_by_key(|at| bodies[*at].len());
    let mut order: Vec<usize> = left.pop().into_iter().collect();
    while let Some(last) = order.last() {
        let similarity = |at: &usize| {
            let recent = order.iter().rev().zip(WEIGHTS);
            let similar = recent.map(|(one, weight)| weight * agreement(&signatures[*one], &signatures[*at]));
            let lengths = [bodies[*last].len(), bodies[*at].len()];
            // Of equally similar ones, that of the most similar length.
            (similar.sum::<usize>(), std::cmp::Reverse(lengths[0].abs_diff(lengths[1])))
        };
        let Some((next, _)) = left.iter().enumerate().max_by_key(|(_, at)| similarity(at)) else { break };
        order.push(left.remove(next));
    }
    order
}

/// The number of equal hashes.
fn agreement(one: &Signature, other: &Signature) -> usize {
    one.iter().zip(other).filter(|(one, other)| one == other).count()
}

fn signature(body: &[u8]) -> Signature {
    let mut smallest = [u64::MAX; HASHES];
    for (length, smallest) in PIECES.iter().zip(smallest.chunks_mut(HASHES / PIECES.len())) {
        for piece in body.windows(*length) {
            let number = piece.iter().fold(1, |number: u64, byte| number << 8 | u64::from(*byte));
            for (seed, smallest) in (1..).zip(&mut *smallest) {
                *smallest = (*smallest).min(hash(number, seed));
            }
        }
    }
    smallest
}

/// The `seed`-th hash of a number, by the finish of MurmurHash3.
fn hash(number: u64, seed: u64) -> u64 {
    let mut hash = number ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ hash >> 33).wrapping_mul(factor);
    }
    hash ^ hash >> 33
}

/// Writes a module with its functions in another order, and with their new numbers wherever they are named.
struct Reorder {
    imported: u32,
    /// The old places, in the new order.
    order: Vec<usize>,
    /// The new places, in the old order.
    new_places: Vec<u32>,
}

impl Reencode for Reorder {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        Ok(match index.checked_sub(self.imported) {
            Some(own) => self.imported + self.new_places[own as usize],
            None => index,
        })
    }

    fn parse_function_section(
        &mut self,
        section: &mut FunctionSection,
        types: FunctionSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        let types = types.into_iter().collect::<Result<Vec<_>, _>>()?;
        for old in &self.order {
            section.function(types[*old]);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        section: &mut CodeSection,
        bodies: CodeSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        let bodies = bodies.into_iter().collect::<Result<Vec<_>, _>>()?;
        for old in self.order.clone() {
            self.parse_function_body(section, bodies[old].clone())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection, Function, ImportSection,
        TableSection, TableType, TypeSection,
    };
    use wasmparser::{ExternalKind, Operator};

    use super::*;

    /// A module that imports a function, and has five more: three similar ones among two others. The second calls the last; the last
    /// one is exported and in the table.
    fn module() -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        types.ty().function([], [wasm_encoder::ValType::I32]);
        let mut imports = ImportSection::new();
        imports.import("a", "b", EntityType::Function(0));
        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for kind in ["similar", "other", "similar", "number", "similar"] {
            functions.function(u32::from(kind == "number"));
            let mut body = Function::new([]);
            let mut out = body.instructions();
            match kind {
                "similar" => (0..20).fold(&mut out, |out, number| out.i32_const(number).drop()),
                "other" => (0..9).fold(&mut out, |out, _| out.call(5)),
                _ => out.i32_const(7),
            }
            .end();
            code.function(&body);
        }
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: wasm_encoder::RefType::FUNCREF,
            minimum: 1,
            maximum: None,
            table64: false,
            shared: false,
        });
        let mut exports = ExportSection::new();
        exports.export("last", ExportKind::Func, 5);
        let mut elements = ElementSection::new();
        elements.active(None, &ConstExpr::i32_const(0), Elements::Functions([5].as_slice().into()));
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&tables);
        module.section(&exports).section(&elements).section(&code);
        module.finish()
    }

    #[test]
    fn similar_functions_stand_together() {
        let reordered = by_similarity(&module()).unwrap();
        let lengths: Vec<usize> = functions(&reordered).unwrap().1.iter().map(|body| body.len()).collect();
        assert_eq!(lengths, [62, 62, 62, 4, 20]);
    }

    #[test]
    fn every_reference_follows_its_function() {
        let reordered = by_similarity(&module()).unwrap();
        let (_, bodies) = functions(&reordered).unwrap();
        let is_similar = |index: u32| bodies[index as usize - 1].len() == 62;
        let (mut seen, mut types) = (0, Vec::new());
        for payload in Parser::new(0).parse_all(&reordered) {
            match payload.unwrap() {
                Payload::FunctionSection(section) => types.extend(section.into_iter().map(Result::unwrap)),
                Payload::ExportSection(exports) => {
                    let export = exports.into_iter().next().unwrap().unwrap();
                    assert!(export.kind == ExternalKind::Func && is_similar(export.index));
                    seen += 1;
                }
                Payload::ElementSection(elements) => {
                    let element = elements.into_iter().next().unwrap().unwrap();
                    let wasmparser::ElementItems::Functions(items) = element.items else { panic!() };
                    assert!(is_similar(items.into_iter().next().unwrap().unwrap()));
                    seen += 1;
                }
                Payload::CodeSectionEntry(body) => {
                    for operator in body.get_operators_reader().unwrap() {
                        if let Operator::Call { function_index } = operator.unwrap() {
                            assert!(is_similar(function_index));
                            seen += 1;
                        }
                    }
                }
                _ => {}
            }
        }
        assert_eq!(seen, 11);
        // Only the shortest function has a result.
        assert_eq!(types, [0, 0, 0, 1, 0]);
    }
}
