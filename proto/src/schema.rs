//! What the contracts say of themselves while the program runs, for whoever shows calls or decides
//! what may be repeated: methods, and the shape of their messages.
//!
//! Plain types in static tables, a few kilobytes in all: no reflection, and nothing is built when the
//! program starts. The types that describe messages are those of `grpc-inspect`.

use grpc_inspect::descriptor::{EnumDescriptor, FieldDescriptor, FieldKind, MessageDescriptor, Shape};

/// One RPC method.
#[derive(Debug)]
pub struct Method {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// Whether the caller sends a stream.
    pub client_streaming: bool,
    /// Whether the server answers with a stream.
    pub server_streaming: bool,
    /// What a repeated call changes.
    pub idempotency: Idempotency,
    /// What the caller sends.
    pub request: &'static MessageDescriptor,
    /// What the server answers.
    pub response: &'static MessageDescriptor,
}

/// `google.protobuf.MethodOptions.IdempotencyLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing is said.
    Unknown,
    /// The method changes nothing.
    NoSideEffects,
    /// Calling it twice changes the same as calling it once.
    Idempotent,
}

include!("generated/methods.rs");

/// The method at `/package.Service/Method`.
pub fn method(path: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_found_by_its_path_and_knows_its_messages() {
        let method = method("/chat.v1.ChatService/Subscribe").unwrap();
        assert_eq!(
            (method.client_streaming, method.server_streaming, method.idempotency),
            (false, true, Idempotency::NoSideEffects)
        );
        assert_eq!(method.request.name, "chat.v1.SubscribeRequest");
        let [cursors, limit] = method.request.fields else { panic!("{:?}", method.request) };
        assert_eq!((cursors.number, cursors.json_name, cursors.shape), (1, "cursors", Shape::Repeated));
        assert!(matches!(cursors.kind, FieldKind::Message(message) if message.name == "chat.v1.Cursor"));
        assert_eq!((limit.number, limit.json_name, limit.shape), (2, "replayLimit", Shape::Single));
    }

    #[test]
    fn what_changes_something_twice_is_not_called_repeatable() {
        assert_eq!(method("/chat.v1.ChatService/Join").unwrap().idempotency, Idempotency::Unknown);
        assert_eq!(method("/chat.v1.ChatService/SendMessage").unwrap().idempotency, Idempotency::Idempotent);
        assert!(method("/chat.v1.ChatService/Nothing").is_none());
    }
}
