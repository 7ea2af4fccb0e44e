//! A tracer is told of each call with its headers, and of its end, for traces.
//!
//! Knows no library of traces, and decides nothing about what is recorded.

use std::fmt;

use http::{HeaderMap, Request};
use tonic::Code;

use crate::observer::KnownMethod;

/// Follows calls, for traces.
///
/// ```
/// use tonic::Code;
/// use tonic_serve::{CallHead, CallSpan, CallTracer};
///
/// #[derive(Debug)]
/// struct Printer;
///
/// #[derive(Debug)]
/// struct Printed(String);
///
/// impl CallTracer for Printer {
///     fn begin(&self, head: &CallHead<'_>) -> Box<dyn CallSpan> {
///         let parent = head.headers.get("traceparent");
///         Box::new(Printed(format!("{:?} of {parent:?}", head.method)))
///     }
/// }
///
/// impl CallSpan for Printed {
///     fn end(&mut self, code: Code) {
///         println!("{}: {code}", self.0);
///     }
/// }
/// ```
pub trait CallTracer: fmt::Debug + Send + Sync + 'static {
    /// The head of a call came. Must not block.
    fn begin(&self, head: &CallHead<'_>) -> Box<dyn CallSpan>;
}

/// A call that is followed.
pub trait CallSpan: fmt::Debug + Send + Sync + 'static {
    /// The call ended, once: its status was passed on, or its client gave it up (`Cancelled`). Must not block.
    fn end(&mut self, code: Code);
}

/// The head of a call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CallHead<'a> {
    /// `None`: the method is not among [`App::methods`](crate::App::methods).
    pub method: Option<KnownMethod<'a>>,
    /// All headers, as the client sent them.
    pub headers: &'a HeaderMap,
    /// The host that the client asks for, with its port if it names one.
    pub host: Option<&'a str>,
}

impl<'a> CallHead<'a> {
    pub(crate) fn new<B>(method: Option<KnownMethod<'a>>, request: &'a Request<B>) -> Self {
        let field = || request.headers().get(http::header::HOST)?.to_str().ok();
        let host = request.uri().authority().map(|authority| authority.as_str()).or_else(field);
        Self { method, headers: request.headers(), host }
    }
}
