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

// `web-sys` has these two behind an unstable cfg.
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

/// Browsers have both or none.
pub(super) fn is_supported() -> bool {
    !of_global("DecompressionStream").is_undefined()
}

pub(super) fn compress(plain: Bytes) -> Work {
    Box::pin(SendWrapper::new(async move { compressed(&plain).await.map_err(thrown) }))
}

pub(super) fn decompress(compressed: Bytes, limit: usize) -> Work {
    Box::pin(SendWrapper::new(decompressed(compressed, limit)))
}

async fn decompressed(compressed: Bytes, limit: usize) -> Result<Bytes, Error> {
    let reader = decompressing(&compressed).map_err(thrown)?;
    let mut plain = Vec::new();
    while let Some(chunk) = next(&reader).await.map_err(thrown)? {
        let size = plain.len() + chunk.length() as usize;
        if size > limit {
            // The result of cancelling changes nothing here.
            drop(reader.cancel());
            return Err(too_large(size, limit));
        }
        let start = plain.len();
        plain.resize(size, 0);
        chunk.copy_to(&mut plain[start..]);
    }
    Ok(plain.into())
}

async fn compressed(plain: &[u8]) -> Result<Bytes, JsValue> {
    let compressed = stream_of(plain)?.pipe_through(&CompressionStream::new("gzip")?.into());
    let whole =
        JsFuture::from(Response::new_with_opt_readable_stream(Some(&compressed))?.array_buffer()?).await?;
    Ok(Uint8Array::new(whole.unchecked_ref::<ArrayBuffer>()).to_vec().into())
}

fn decompressing(compressed: &[u8]) -> Result<ReadableStreamDefaultReader, JsValue> {
    ReadableStreamDefaultReader::new(
        &stream_of(compressed)?.pipe_through(&DecompressionStream::new("gzip")?.into()),
    )
}

/// A stream of `bytes`, which a response brings along.
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
    async fn data_survives_compression() {
        for plain in [&b""[..], b"a", &[7; 100_000]] {
            let compressed = compress(Bytes::from(plain)).await.unwrap();
            assert_eq!(decompress(compressed, plain.len()).await.unwrap(), plain);
        }
    }

    #[wasm_bindgen_test]
    async fn decompression_stops_at_the_limit() {
        let bomb = compress(vec![0; 10_000_000].into()).await.unwrap();
        assert!(bomb.len() < 20_000);
        let stopped = decompress(bomb, 1_000).await;
        let Err(Error::MessageTooLarge { size, limit: 1_000 }) = stopped else { panic!("{stopped:?}") };
        assert!(size < 1_000_000, "it was decompressed as far as {size} bytes");
    }

    #[wasm_bindgen_test]
    async fn invalid_data_is_an_error_wherever_it_becomes_invalid() {
        let good = compress(Bytes::from_static(b"some text to compress")).await.unwrap();
        for end in 0..good.len() {
            assert!(decompress(good.slice(..end), 100).await.is_err(), "cut after {end} bytes");
        }
        assert!(decompress([&good[..], b"more"].concat().into(), 100).await.is_err());
        assert!(decompress(Bytes::from_static(b"plain text"), 100).await.is_err());
    }

    #[wasm_bindgen_test]
    fn thrown_values_become_reasons() {
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
