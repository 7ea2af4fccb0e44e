//! The types of a call's messages: by the page's own contracts, or by descriptors that the explorer has found.

use std::{fmt, sync::Arc};

use grpc_inspect::{
    frame::Direction,
    json::{Decoded, JsonOptions, to_json},
};
use grpc_wire::method::MethodKind;
use proto::schema::{self, MethodMessages};

/// A method that descriptors at run time have.
#[derive(Clone)]
pub(crate) struct FoundMethod {
    /// The sides that send a stream.
    pub(crate) kind: MethodKind,
    /// Decodes its messages.
    pub(crate) decode: Arc<Decode>,
}

/// Decodes a message of a direction.
type Decode = dyn Fn(Direction, &[u8], &JsonOptions) -> Option<Decoded> + Send + Sync;

/// Finds a method by its path.
pub(crate) type FindMethod = Arc<dyn Fn(&str) -> Option<FoundMethod> + Send + Sync>;

/// The types of the messages of a method.
#[derive(Clone, Debug)]
pub(super) enum Types {
    /// The page's contracts have it.
    Contract(&'static MethodMessages),
    /// Other descriptors have it.
    Found(FoundMethod),
    /// Nothing is known of it.
    Unknown,
}

impl Types {
    /// Of the method at `/package.Service/Method`, by the page's contracts.
    pub(super) fn of_contract(path: &str) -> Types {
        schema::method(path).map_or(Types::Unknown, Types::Contract)
    }

    /// The sides that send a stream, where they are known.
    pub(super) fn kind(&self) -> Option<MethodKind> {
        match self {
            Types::Contract(method) => Some(method.kind),
            Types::Found(method) => Some(method.kind),
            Types::Unknown => None,
        }
    }

    /// A message as JSON.
    pub(super) fn decode(
        &self,
        direction: Direction,
        bytes: &[u8],
        options: &JsonOptions,
    ) -> Option<Decoded> {
        match self {
            Types::Contract(method) => {
                let message = match direction {
                    Direction::Sent => method.request,
                    Direction::Received => method.response,
                };
                Some(to_json(message, bytes, options))
            }
            Types::Found(method) => (method.decode)(direction, bytes, options),
            Types::Unknown => None,
        }
    }
}

impl fmt::Debug for FoundMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FoundMethod").field("kind", &self.kind).finish_non_exhaustive()
    }
}
