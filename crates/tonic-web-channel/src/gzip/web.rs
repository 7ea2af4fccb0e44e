//! Gzip by the browser's `CompressionStream` and `DecompressionStream`.

use bytes::Bytes;
use js_sys::{ArrayBuffer, Uint8Array};
use send_wrapper::SendWrapper;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    ReadableStream, ReadableStreamDefaultReader, ReadableStreamReadResult, ReadableWritablePair, Response,
};

use super::{Work, malformed, too_large};
use crate::error::Error;
use crate::js::{message, of_global};

// `web-sys` keeps these two behind a flag of the compiler.
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(extends = ReadableWritablePair)]
    type CompressionStream;
    #[wasm_bindgen(constructor, catch)]
    fn new(format: &str) -> Result<CompressionStream, JsValue>;

    #[wasm_bindgen(extends = ReadableWritablePair)]
    type DecompressionStream;
    #[wasm_bindgen(constructor, catch)]
    fn new(format: &str) -> Result<DecompressionStream, JsValue>;
}

/// Browsers that have one of the two have both.
pub(super) fn is_supported() -> bool {
    !of_global("DecompressionStream").is_undefined()
}

pub(super) fn compress(plain: Bytes) -> Work {
    Box::pin(SendWrapper::new(async move { packed(&plain).await.map_err(thrown) }))
}

pub(super) fn decompress(packed: Bytes, limit: usize) -> Work {
    Box::pin(SendWrapper::new(unpacked(packed, limit)))
}

async fn unpacked(packed: Bytes, limit: usize) -> Result<Bytes, Error> {
    let reader = unpacking(&packed).map_err(thrown)?;
    let mut plain = Vec::new();
    while let Some(piece) = next(&reader).await.map_err(thrown)? {
        let size = plain.len() + piece.length() as usize;
        if size > limit {
            // Whether the stream agrees to stop is of no interest.
            drop(reader.cancel());
            return Err(too_large(size, limit));
        }
        let start = plain.len();
        plain.resize(size, 0);
        piece.copy_to(&mut plain[start..]);
    }
    Ok(plain.into())
}

async fn packed(plain: &[u8]) -> Result<Bytes, JsValue> {
    let packed = stream_of(plain)?.pipe_through(&CompressionStream::new("gzip")?.into());
    let whole =
        JsFuture::from(Response::new_with_opt_readable_stream(Some(&packed))?.array_buffer()?).await?;
    Ok(Uint8Array::new(whole.unchecked_ref::<ArrayBuffer>()).to_vec().into())
}

fn unpacking(packed: &[u8]) -> Result<ReadableStreamDefaultReader, JsValue> {
    ReadableStreamDefaultReader::new(
        &stream_of(packed)?.pipe_through(&DecompressionStream::new("gzip")?.into()),
    )
}

/// A stream of `bytes`. A response has one ready-made.
fn stream_of(bytes: &[u8]) -> Result<ReadableStream, JsValue> {
    let response = Response::new_with_opt_js_u8_array(Some(&Uint8Array::from(bytes)))?;
    response.body().ok_or_else(|| JsValue::from_str("a response has no body"))
}

async fn next(reader: &ReadableStreamDefaultReader) -> Result<Option<Uint8Array>, JsValue> {
    let result: ReadableStreamReadResult = JsFuture::from(reader.read()).await?.unchecked_into();
    let done = result.get_done().unwrap_or(true);
    Ok((!done).then(|| result.get_value().unchecked_into()))
}

fn thrown(error: JsValue) -> Error {
    malformed(message(&error))
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    async fn what_was_packed_comes_out_again() {
        for plain in [&b""[..], b"a", &[7; 100_000]] {
            let packed = compress(Bytes::from(plain)).await.unwrap();
            assert_eq!(decompress(packed, plain.len()).await.unwrap(), plain);
        }
    }

    #[wasm_bindgen_test]
    async fn a_bomb_is_stopped_at_the_limit() {
        let bomb = compress(vec![0; 10_000_000].into()).await.unwrap();
        assert!(bomb.len() < 20_000);
        let stopped = decompress(bomb, 1_000).await;
        let Err(Error::MessageTooLarge { size, limit: 1_000 }) = stopped else { panic!("{stopped:?}") };
        assert!(size < 1_000_000, "it was unpacked as far as {size} bytes");
    }

    #[wasm_bindgen_test]
    async fn what_is_no_gzip_is_an_error_wherever_it_stops_being_one() {
        let good = compress(Bytes::from_static(b"some text to pack")).await.unwrap();
        for end in 0..good.len() {
            assert!(decompress(good.slice(..end), 100).await.is_err(), "cut after {end} bytes");
        }
        assert!(decompress([&good[..], b"more"].concat().into(), 100).await.is_err());
        assert!(decompress(Bytes::from_static(b"plain text"), 100).await.is_err());
    }

    #[wasm_bindgen_test]
    fn whatever_is_thrown_has_a_reason() {
        for (value, reason) in [
            (js_sys::Error::new("a sentence").into(), "a sentence"),
            (JsValue::from_str("a text"), "a text"),
            (JsValue::UNDEFINED, "no reason given"),
        ] {
            let Error::Protocol { reason: said } = thrown(value) else { panic!("{reason}") };
            assert!(said.ends_with(&format!("({reason})")), "{said}");
        }
    }
}
