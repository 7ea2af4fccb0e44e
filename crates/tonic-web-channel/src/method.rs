//! The method table of a channel.

pub use grpc_wire::method::{Idempotency, Method, MethodKind};

use crate::retry::{self, Advisor};

/// The methods that a channel knows. Calls to other methods pass without rules that need a kind or an idempotency.
///
/// The list is short, and paths are compared by their lengths first, so it is searched one by one.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    known: Vec<Method>,
    /// Reads a server's advice on retries. Only calls to known methods are retried after a server has seen them.
    advisor: Option<Advisor>,
}

impl Methods {
    pub(crate) fn get(&self, path: &str) -> Option<Method> {
        self.known.iter().find(|method| method.path == path).copied()
    }

    pub(crate) fn advisor(&self) -> Option<Advisor> {
        self.advisor
    }
}

impl Extend<Method> for Methods {
    fn extend<T: IntoIterator<Item = Method>>(&mut self, methods: T) {
        self.advisor = Some(retry::advice);
        for method in methods {
            self.known.retain(|known| known.path != method.path);
            self.known.push(method);
        }
    }
}
