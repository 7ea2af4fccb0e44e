//! The contracts as Rust types: messages and clients for every target, service traits and descriptors with the feature
//! `server`, static tables that describe methods and messages, and the contracts' limits.
//!
//! `cargo xtask codegen` generates everything under `generated/` from the `.proto` files. This crate does not know who uses
//! it.

#[cfg(feature = "server")]
mod codec;
#[cfg(feature = "server")]
mod encoded;
pub mod limits;
pub mod schema;

#[cfg(feature = "server")]
pub use self::codec::SmallBufferCodec;
#[cfg(feature = "server")]
pub use self::encoded::EncodedSubscribeResponse;

include!("generated/method_table.rs");

/// The request of a unary method, which it names: for callers whose code does not depend on the method.
pub trait UnaryRequest: prost::Message {
    /// The method's path, `/package.Service/Method`.
    const PATH: &'static str;
    /// The response.
    type Response: prost::Message + Default;
}

include!("generated/unary.rs");

/// Package `helloworld`: gRPC's quick-start Greeter. Documented in `helloworld.proto`.
#[allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    clippy::all,
    reason = "generated; the documentation is in the .proto file"
)]
pub mod helloworld {
    include!("generated/helloworld.rs");

    /// The service trait and its server.
    #[cfg(feature = "server")]
    pub mod server {
        include!("generated/server/helloworld.rs");
    }
}

/// Package `chat.v1`: the chat's log protocol. Documented in `chat/v1/chat.proto`.
pub mod chat {
    /// Package `chat.log.v1`: the changes that the writer of the chat makes. Documented in `chat/log/v1/log.proto`.
    #[cfg(feature = "server")]
    pub mod log {
        #[allow(
            missing_docs,
            unreachable_pub,
            missing_debug_implementations,
            clippy::all,
            reason = "generated; the documentation is in the .proto file"
        )]
        pub mod v1 {
            include!("generated/server/chat.log.v1.rs");
        }
    }

    #[allow(
        missing_docs,
        unreachable_pub,
        missing_debug_implementations,
        clippy::all,
        reason = "generated; the documentation is in the .proto file"
    )]
    pub mod v1 {
        include!("generated/chat.v1.rs");

        /// The service trait and its server. `Subscribe` returns
        /// [`EncodedSubscribeResponse`](crate::EncodedSubscribeResponse), the encoded form of a `SubscribeResponse`.
        #[cfg(feature = "server")]
        pub mod server {
            include!("generated/server/chat.v1.rs");
        }
    }
}

/// Package `grpc.health.v1`: the standard health service with `List`. Documented in `grpc/health/v1/health.proto`.
#[cfg(feature = "server")]
pub mod health {
    #[allow(
        missing_docs,
        unreachable_pub,
        missing_debug_implementations,
        clippy::all,
        reason = "generated; the documentation is in the .proto file"
    )]
    pub mod v1 {
        include!("generated/server/grpc.health.v1.rs");
    }

    /// The contract as a serialised `google.protobuf.FileDescriptorSet` with the comments, for server reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/server/health.bin");
}

/// All contracts of this application as a serialised `google.protobuf.FileDescriptorSet` with the comments, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptors.bin");
