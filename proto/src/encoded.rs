//! A `SubscribeResponse` that is encoded once and sent on many streams.

use bytes::{Buf, BufMut, Bytes};
use prost::DecodeError;
use prost::Message;
use prost::encoding::{DecodeContext, WireType};

use crate::chat::v1::SubscribeResponse;

/// An encoded `chat.v1.SubscribeResponse`.
///
/// Clones share the bytes, so an event is encoded once for all streams. It can be sent only: decoding into it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedSubscribeResponse(Bytes);

impl EncodedSubscribeResponse {
    /// Encodes `response`.
    pub fn new(response: &SubscribeResponse) -> Self {
        Self(response.encode_to_vec().into())
    }

    /// Wraps the encoding of a `chat.v1.SubscribeResponse`.
    pub fn from_encoded(encoded: Bytes) -> Self {
        Self(encoded)
    }

    /// The encoded message, without a message prefix.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl From<&SubscribeResponse> for EncodedSubscribeResponse {
    fn from(response: &SubscribeResponse) -> Self {
        Self::new(response)
    }
}

impl Message for EncodedSubscribeResponse {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.0);
    }

    fn merge_field(
        &mut self,
        _tag: u32,
        _wire_type: WireType,
        _buf: &mut impl Buf,
        _ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        // The server never receives this message, but the trait requires the method.
        Err(DecodeError::new_unexpected_type_url(
            "chat.v1.SubscribeResponse",
            "an encoded response cannot be decoded",
        ))
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::v1::{CaughtUp, subscribe_response::Frame};

    #[test]
    fn encoded_response_keeps_its_bytes() {
        let response = SubscribeResponse { frame: Some(Frame::CaughtUp(CaughtUp {})) };
        let encoded = EncodedSubscribeResponse::new(&response);

        assert_eq!(encoded.encode_to_vec(), response.encode_to_vec());
        assert_eq!(SubscribeResponse::decode(encoded.as_bytes().clone()).unwrap(), response);
    }
}
