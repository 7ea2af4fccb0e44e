//! How the server's messages are buffered. Knows no message.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// Bytes that a call's buffer begins with, in either direction; it doubles as its messages need. tonic's own is
/// 8 KiB, which every call that waits would hold.
const FIRST_BUFFER: usize = 512;

/// Bytes of encoded messages that are put together before they are handed to HTTP: the message that reaches this
/// number is the last. It is what a stream holds whose client takes nothing, and small messages reach it before
/// their buffer doubles to 4 KiB. tonic's own is 32 KiB.
const ENCODED_AHEAD: usize = 1536;

/// Protobuf with small buffers: a call whose client takes nothing costs little.
#[derive(Clone, Debug)]
pub struct SmallBufferCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SmallBufferCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for SmallBufferCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(FIRST_BUFFER, ENCODED_AHEAD))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(FIRST_BUFFER, ENCODED_AHEAD))
    }
}
