//! What the channel is told of the methods that are called through it.

/// One RPC method, as its descriptor has it.
///
/// With it the channel knows how many messages are due in each direction and what may be repeated. A
/// method that it was not told of is called as it is, with neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// Which sides send a stream.
    pub kind: Kind,
    /// What a repeated call changes.
    pub idempotency: Idempotency,
}

impl Method {
    /// A method whose repetition is not known to be safe.
    pub const fn new(path: &'static str, kind: Kind) -> Self {
        Self { path, kind, idempotency: Idempotency::Unknown }
    }

    /// The same method with the `idempotency_level` of its descriptor.
    #[must_use]
    pub const fn with_idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }
}

/// Which sides of a method send a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One request, one response.
    Unary,
    /// One request, a stream of responses.
    ServerStreaming,
    /// A stream of requests, one response.
    ClientStreaming,
    /// A stream each way.
    Bidirectional,
}

impl Kind {
    /// By the two flags of a method's descriptor.
    pub const fn of(client_streaming: bool, server_streaming: bool) -> Self {
        match (client_streaming, server_streaming) {
            (false, false) => Self::Unary,
            (false, true) => Self::ServerStreaming,
            (true, false) => Self::ClientStreaming,
            (true, true) => Self::Bidirectional,
        }
    }

    /// Whether the caller sends a stream.
    pub const fn client_streaming(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::Bidirectional)
    }

    /// Whether the server answers with a stream.
    pub const fn server_streaming(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::Bidirectional)
    }
}

/// `google.protobuf.MethodOptions.IdempotencyLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing is said, so a call that may have reached the server is never repeated.
    Unknown,
    /// It changes nothing.
    NoSideEffects,
    /// Calling it twice changes the same as calling it once.
    Idempotent,
}
