//! The server's side of a WebSocket (RFC 6455) that carries a stream of bytes: the handshake, the frames, the end.
//!
//! The messages are binary and their boundaries mean nothing. Knows nothing about the bytes inside, and not who may connect.

mod close;
mod decoder;
mod handshake;
mod stream;

pub(crate) use self::close::CloseCode;
pub(crate) use self::handshake::{Handshake, is_websocket, offers};
pub(crate) use self::stream::WebSocket;
