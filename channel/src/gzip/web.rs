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
    let error: js_sys::Error = error.unchecked_into();
    malformed(error.message())
}
