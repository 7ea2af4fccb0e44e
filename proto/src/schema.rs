//! The messages of every method, as static tables: a few kilobytes, without reflection and without work at the start.
//!
//! The method table without messages, for a channel or a server, is [`METHODS`](crate::METHODS).

use grpc_inspect::descriptor::{EnumDescriptor, FieldDescriptor, FieldKind, MessageDescriptor, Shape};
use grpc_wire::method::MethodKind;

/// The messages of one method.
#[derive(Debug)]
pub struct MethodMessages {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// The sides that send a stream.
    pub kind: MethodKind,
    /// The request message.
    pub request: &'static MessageDescriptor,
    /// The response message.
    pub response: &'static MessageDescriptor,
}

include!("generated/methods.rs");

/// The messages of the method at `/package.Service/Method`.
pub fn method(path: &str) -> Option<&'static MethodMessages> {
    METHODS.iter().find(|method| method.path == path)
}

#[cfg(test)]
mod tests {
    use grpc_wire::method::Idempotency;

    use super::*;

    #[test]
    fn messages_are_found_by_the_path_of_their_method() {
        let method = method("/chat.v1.ChatService/Subscribe").unwrap();
        assert_eq!(method.request.name, "chat.v1.SubscribeRequest");
        let [cursors, limit] = method.request.fields else { panic!("{:?}", method.request) };
        assert_eq!((cursors.number, cursors.json_name, cursors.shape), (1, "cursors", Shape::Repeated));
        assert!(matches!(cursors.kind, FieldKind::Message(message) if message.name == "chat.v1.Cursor"));
        assert_eq!((limit.number, limit.json_name, limit.shape), (2, "replayLimit", Shape::Single));
    }

    #[test]
    fn both_tables_have_the_same_methods() {
        let table: Vec<_> = crate::METHODS.iter().map(|method| (method.path, method.kind)).collect();
        let messages: Vec<_> = METHODS.iter().map(|method| (method.path, method.kind)).collect();
        assert_eq!(table, messages);
    }

    #[test]
    fn methods_have_the_idempotency_of_the_contract() {
        let idempotency =
            |path| crate::METHODS.iter().find(|method| method.path == path).unwrap().idempotency;
        assert_eq!(idempotency("/chat.v1.ChatService/ListRooms"), Idempotency::NoSideEffects);
        assert_eq!(idempotency("/chat.v1.ChatService/Join"), Idempotency::Idempotent);
        assert_eq!(idempotency("/chat.v1.ChatService/SendMessage"), Idempotency::Idempotent);
        assert!(method("/chat.v1.ChatService/Nothing").is_none());
    }
}
