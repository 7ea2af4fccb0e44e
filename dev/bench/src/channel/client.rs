//! The measured clients: their names, their modules, and what they cannot do.

use clap::ValueEnum;

/// The clients, in the order of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Client {
    /// `fetch` without a client: the bytes are read and dropped.
    Fetch,
    /// A WebSocket without a protocol, by which bytes are sent back, or counted
    RawSocket,
    #[value(name = "connect")]
    ConnectWeb,
    GrpcWeb,
    #[value(name = "twwc")]
    TonicWebWasm,
    /// improbable's grpc-web, with its WebSocket transport
    Improbable,
    /// nice-grpc-web, with its WebSocket transport
    #[value(name = "nice")]
    NiceGrpcWeb,
    /// grpc-webnext-client
    Webnext,
    /// `tonic_web_channel::Channel`
    #[value(name = "ours")]
    Channel,
    /// `tonic_web_channel::Channel` with the transport `Socket`
    #[value(name = "socket")]
    Socket,
}

/// The server that a client calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// The one that the page comes from.
    Page,
    /// The server of raw WebSockets.
    RawSocket,
    /// `grpcwebproxy`, in front of the page's server.
    Proxy,
}

impl Client {
    /// Name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch, nothing decoded",
            Self::RawSocket => "WebSocket, no protocol",
            Self::ConnectWeb => "connect-web",
            Self::GrpcWeb => "grpc-web",
            Self::TonicWebWasm => "tonic-web-wasm-client",
            Self::Improbable => "improbable's grpc-web, WebSocket",
            Self::NiceGrpcWeb => "nice-grpc-web, WebSocket",
            Self::Webnext => "grpc-webnext-client",
            Self::Channel => "tonic-web-channel",
            Self::Socket => "tonic-web-channel, socket",
        }
    }

    /// Name of its module, and of its folder under `one_call`.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::RawSocket => "raw_socket",
            Self::ConnectWeb => "connect_web",
            Self::GrpcWeb => "grpc_web",
            Self::TonicWebWasm => "tonic_web_wasm_client",
            Self::Improbable => "improbable",
            Self::NiceGrpcWeb => "nice_grpc_web",
            Self::Webnext => "webnext",
            Self::Channel => "channel",
            Self::Socket => "socket",
        }
    }

    pub(crate) fn served(self) -> Served {
        match self {
            Self::RawSocket => Served::RawSocket,
            Self::Improbable | Self::NiceGrpcWeb => Served::Proxy,
            _ => Served::Page,
        }
    }

    /// Whether it can carry calls with several requests: `fetch` sends no streams of requests.
    pub(crate) fn has_request_streams(self) -> bool {
        use Client::{Improbable, NiceGrpcWeb, RawSocket, Socket, Webnext};
        matches!(self, RawSocket | Improbable | NiceGrpcWeb | Webnext | Socket)
    }

    /// Whether a failure of it ends the measurement. One of a peer becomes a note.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Fetch | Self::RawSocket | Self::Channel | Self::Socket)
    }
}
