//! The server's codec: Protobuf with small buffers. Knows no message.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// Initial size of a call's buffer in either direction, bytes; it doubles when needed. tonic's default is 8 KiB, which every
/// waiting call would hold.
const FIRST_BUFFER: usize = 512;

/// Encoded messages are collected up to this size, bytes, before they are passed to HTTP. A stream whose client takes nothing
/// holds this much, and small messages reach it before their buffer doubles to 4 KiB. tonic's default is 32 KiB.
const ENCODED_AHEAD: usize = 1536;

/// Protobuf with small buffers, so that a call whose client takes nothing costs little memory.
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
