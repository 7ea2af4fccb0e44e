//! A response that is encoded once and sent to many.

use bytes::{Buf, BufMut, Bytes};
use prost::DecodeError;
use prost::Message;
use prost::encoding::{DecodeContext, WireType};

use crate::chat::v1::SubscribeResponse;

/// A `chat.v1.SubscribeResponse` already in its wire form.
///
/// Cloning shares the bytes, so an event that ten thousand streams carry is encoded once. It is only
/// ever sent: decoding into it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedSubscribeResponse(Bytes);

impl EncodedSubscribeResponse {
    /// Encodes `response`.
    pub fn new(response: &SubscribeResponse) -> Self {
        Self(response.encode_to_vec().into())
    }

    /// Takes bytes that are the encoding of a `chat.v1.SubscribeResponse`.
    pub fn from_encoded(encoded: Bytes) -> Self {
        Self(encoded)
    }

    /// The encoded message, without a gRPC frame's prefix.
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
        // The server never receives this message; the trait asks for the method all the same.
        Err(DecodeError::new_unexpected_type_url(
            "chat.v1.SubscribeResponse",
            "an encoded response is only ever sent",
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
    fn encodes_to_the_bytes_it_was_given() {
        let response = SubscribeResponse { frame: Some(Frame::CaughtUp(CaughtUp {})) };
        let encoded = EncodedSubscribeResponse::new(&response);

        assert_eq!(encoded.encode_to_vec(), response.encode_to_vec());
        assert_eq!(SubscribeResponse::decode(encoded.as_bytes().clone()).unwrap(), response);
    }
}
