//! Tells a channel that a call is an attempt of a subscription: the deadline of the channel is for calls that end.

use std::cell::Cell;

use crate::context::CallContext;

thread_local! {
    /// A generated client passes nothing on from the function that makes the call, but it calls the channel in a poll of that
    /// function's future.
    static IS_OPENING: Cell<bool> = const { Cell::new(false) };
}

/// Sets the mark back, also when a poll panics.
struct Mark(bool);

impl Drop for Mark {
    fn drop(&mut self) {
        IS_OPENING.set(self.0);
    }
}

/// Runs `step`, a part of the opening of a stream.
pub(super) fn while_opening<T>(step: impl FnOnce() -> T) -> T {
    let _mark = Mark(IS_OPENING.replace(true));
    step()
}

/// Whether the call is an attempt of a subscription. A call with one response message, which fetches a token or a position first,
/// is none.
pub(crate) fn is_attempt(context: &CallContext) -> bool {
    IS_OPENING.get() && !context.expects_one_message()
}
