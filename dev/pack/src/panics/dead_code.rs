//! The instructions that only prepare a call of a function that never returns, and the call itself.
//!
//! They put addresses of sentences and of places in the sources on the stack, and the values that a sentence shows into the frame of their
//! own function. Nobody reads either after a trap.

use std::collections::HashSet;
use std::ops::Range;

use anyhow::Result;
use wasmparser::{FunctionBody, Operator};

/// A value on WebAssembly's stack, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value {
    /// An address in the function's own frame.
    Frame,
    Other,
}

/// The effect of an instruction on those behind it, when a trap follows.
enum Effect {
    /// Takes values and gives as many others, and has no other effect that matters after a trap.
    Nothing { takes: usize, gives: Option<Value> },
    /// Writes a value to an address below it on the stack.
    Store,
    /// Sets a local variable to the value on the stack, and keeps it there or not.
    SetLocal { local: u32, keeps: bool },
    /// The program ends.
    Trap,
    /// Anything else.
    Other,
}

/// The dead code of a function.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct DeadCode {
    /// Places in the file, each from the first dead instruction to the end of the call.
    pub(super) ranges: Vec<Range<usize>>,
    /// Whether the function does nothing but panic.
    pub(super) only_panics: bool,
}

/// Finds the dead code of a function, of which a call of any of `diverging` does not return.
pub(super) fn find(body: &FunctionBody<'_>, diverging: &HashSet<u32>) -> Result<DeadCode> {
    let mut operators = body.get_operators_reader()?;
    let first = usize::try_from(operators.original_position())?;
    let mut found = DeadCode::default();
    let mut run = Run { start: first, stack: Vec::new(), frame: None, stack_pointer: None };
    while !operators.eof() {
        let operator = operators.read()?;
        let end = usize::try_from(operators.original_position())?;
        match run.effect(&operator, diverging) {
            Effect::Nothing { takes, gives } => {
                run.take(takes);
                run.stack.extend(gives);
            }
            Effect::Store => {
                run.take(1);
                if run.take(1) != Value::Frame {
                    run.restart(end);
                }
            }
            Effect::SetLocal { local, keeps } => {
                let value = run.take(1);
                if value == Value::Frame {
                    run.frame = Some(local);
                } else if run.frame == Some(local) {
                    run.frame = None;
                }
                run.stack.extend(keeps.then_some(value));
            }
            Effect::Trap => {
                found.only_panics |= run.start == first;
                found.ranges.push(run.start..end);
                run.restart(end);
            }
            Effect::Other => run.restart(end),
        }
    }
    Ok(found)
}

/// The instructions since the last one with an effect that matters.
struct Run {
    /// The place of the first.
    start: usize,
    /// The values that they left; those below are unknown.
    stack: Vec<Value>,
    /// The local variable with the address of the function's frame.
    frame: Option<u32>,
    /// The global with the address of the newest frame.
    stack_pointer: Option<u32>,
}

impl Run {
    fn restart(&mut self, at: usize) {
        self.start = at;
        self.stack.clear();
    }

    /// Removes values. Returns the lowest of them.
    fn take(&mut self, count: usize) -> Value {
        (0..count).map(|_| self.stack.pop().unwrap_or(Value::Other)).last().unwrap_or(Value::Other)
    }

    fn effect(&mut self, operator: &Operator<'_>, diverging: &HashSet<u32>) -> Effect {
        use Operator as O;
        let nothing = |takes, gives| Effect::Nothing { takes, gives: Some(gives) };
        match *operator {
            O::I32Const { .. } | O::I64Const { .. } | O::F32Const { .. } | O::F64Const { .. } => {
                nothing(0, Value::Other)
            }
            O::LocalGet { local_index } if self.frame == Some(local_index) => nothing(0, Value::Frame),
            O::LocalGet { .. } => nothing(0, Value::Other),
            // The first global that a function reads is the stack pointer: no other one can be changed.
            O::GlobalGet { global_index } => {
                self.stack_pointer.get_or_insert(global_index);
                nothing(0, Value::Frame)
            }
            O::GlobalSet { global_index } if self.stack_pointer == Some(global_index) => {
                Effect::Nothing { takes: 1, gives: None }
            }
            O::LocalSet { local_index } => Effect::SetLocal { local: local_index, keeps: false },
            O::LocalTee { local_index } => Effect::SetLocal { local: local_index, keeps: true },
            O::I32Add | O::I32Sub => {
                let is_frame = self.stack.iter().rev().take(2).any(|value| *value == Value::Frame);
                nothing(2, if is_frame { Value::Frame } else { Value::Other })
            }
            O::I32Eqz
            | O::I32WrapI64
            | O::I64ExtendI32U
            | O::I64ExtendI32S
            | O::I32Load { .. }
            | O::I32Load8U { .. }
            | O::I32Load8S { .. }
            | O::I32Load16U { .. }
            | O::I64Load { .. } => nothing(1, Value::Other),
            O::I32And | O::I32Or | O::I32Shl | O::I64Add | O::I64Or | O::I64Shl | O::I64ShrU => {
                nothing(2, Value::Other)
            }
            O::Select => nothing(3, Value::Other),
            O::I32Store { .. } | O::I32Store8 { .. } | O::I32Store16 { .. } | O::I64Store { .. } => {
                Effect::Store
            }
            O::Call { function_index } if diverging.contains(&function_index) => Effect::Trap,
            O::Unreachable => Effect::Trap,
            O::Nop => Effect::Nothing { takes: 0, gives: None },
            _ => Effect::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{Function, InstructionSink, MemArg, ValType};
    use wasmparser::BinaryReader;

    use super::*;

    /// The number of the function that panics, and of one that returns.
    const PANIC: u32 = 7;
    const OTHER: u32 = 8;
    const AT_0: MemArg = MemArg { offset: 0, align: 2, memory_index: 0 };

    /// The dead code of a function with these instructions, from its first one.
    fn dead_code(write: impl Fn(&mut InstructionSink<'_>)) -> DeadCode {
        let mut function = Function::new([(4, ValType::I32)]);
        write(&mut function.instructions());
        function.instructions().end();
        let bytes = function.into_raw_body();
        let body = FunctionBody::new(BinaryReader::new(&bytes, 0));
        let first = usize::try_from(body.get_operators_reader().unwrap().original_position()).unwrap();
        let mut found = find(&body, &HashSet::from([PANIC])).unwrap();
        for range in &mut found.ranges {
            *range = range.start - first..range.end - first;
        }
        found
    }

    fn one(range: Range<usize>, only_panics: bool) -> DeadCode {
        DeadCode { ranges: std::iter::once(range).collect(), only_panics }
    }

    #[test]
    fn arguments_of_a_panic_are_dead_and_calls_before_them_are_not() {
        let found = dead_code(|code| {
            code.call(OTHER).local_get(0).i32_const(5).i32_add().i32_const(9).call(PANIC);
        });
        assert_eq!(found, one(2..11, false));
    }

    #[test]
    fn a_write_to_the_own_frame_is_dead_before_a_panic_and_any_other_is_not() {
        let frame = |code: &mut InstructionSink<'_>| {
            code.global_get(0).i32_const(16).i32_sub().local_tee(1).global_set(0);
        };
        let own = dead_code(|code| {
            frame(code);
            code.local_get(1).i32_const(5).i32_store(AT_0).call(PANIC);
        });
        assert_eq!(own, one(0..18, true));
        let other = dead_code(|code| {
            frame(code);
            code.local_get(0).i32_const(5).i32_store(AT_0).i32_const(3).call(PANIC);
        });
        assert_eq!(other, one(16..20, false));
    }

    #[test]
    fn a_local_variable_with_another_value_is_no_frame() {
        let found = dead_code(|code| {
            code.global_get(0).local_set(1).local_get(0).local_set(1);
            code.local_get(1).i32_const(5).i32_store(AT_0).call(PANIC);
        });
        assert_eq!(found, one(15..17, false));
    }

    #[test]
    fn code_behind_a_branch_ends_nothing_before_it() {
        let found = dead_code(|code| {
            code.local_get(0).br_if(0).i32_const(5).call(PANIC).i32_const(6).drop();
        });
        assert_eq!(found, one(4..8, false));
    }
}
