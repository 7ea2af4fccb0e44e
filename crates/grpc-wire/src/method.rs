//! Descriptions of methods.

/// One RPC method, as its descriptor has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// The sides that send a stream.
    pub kind: MethodKind,
    /// The effect of a repeated call.
    pub idempotency: Idempotency,
}

impl Method {
    /// A method whose repetition is not known to be safe.
    pub const fn new(path: &'static str, kind: MethodKind) -> Self {
        Self { path, kind, idempotency: Idempotency::Unknown }
    }

    /// The same method with the `idempotency_level` of its descriptor.
    #[must_use]
    pub const fn with_idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }
}

/// The sides of a method that send a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodKind {
    /// One request, one response.
    Unary,
    /// One request, a stream of responses.
    ServerStreaming,
    /// A stream of requests, one response.
    ClientStreaming,
    /// A stream in each direction.
    Bidirectional,
}

impl MethodKind {
    /// From the two flags of a `google.protobuf.MethodDescriptorProto`.
    pub const fn from_flags(client_streaming: bool, server_streaming: bool) -> Self {
        match (client_streaming, server_streaming) {
            (false, false) => Self::Unary,
            (false, true) => Self::ServerStreaming,
            (true, false) => Self::ClientStreaming,
            (true, true) => Self::Bidirectional,
        }
    }

    /// Whether the client sends a stream.
    pub const fn client_streaming(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::Bidirectional)
    }

    /// Whether the server sends a stream.
    pub const fn server_streaming(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::Bidirectional)
    }
}

/// `google.protobuf.MethodOptions.IdempotencyLevel`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idempotency {
    /// Not said: a call that may have reached the server must not be repeated.
    #[default]
    Unknown,
    /// The method has no side effects.
    NoSideEffects,
    /// Calling it twice has the effect of calling it once.
    Idempotent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_flags_agree() {
        for client in [false, true] {
            for server in [false, true] {
                let kind = MethodKind::from_flags(client, server);
                assert_eq!((kind.client_streaming(), kind.server_streaming()), (client, server));
            }
        }
    }
}
