//! The few things that are asked of JavaScript, in as few calls as it can be done with.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{ReadableStreamDefaultReader, RequestInit, ResponseType};

use crate::error::Error;

#[wasm_bindgen]
extern "C" {
    /// The one of the window or of the worker, whichever this is.
    #[wasm_bindgen(catch)]
    pub(super) fn fetch(url: &str, init: &RequestInit) -> Result<Promise, JsValue>;

    /// What a reader's `read` gives.
    pub(super) type ReadPromise;
    /// `then`, for handlers that are called once per read, again and again.
    #[wasm_bindgen(method, js_name = then)]
    pub(super) fn settle(
        this: &ReadPromise,
        on_read: &Closure<dyn FnMut(ReadResult)>,
        on_error: &Closure<dyn FnMut(JsValue)>,
    );

    /// What a read has brought.
    pub(super) type ReadResult;
    #[wasm_bindgen(method, getter)]
    fn value(this: &ReadResult) -> Option<Uint8Array>;

    type Pairs;
    #[wasm_bindgen(method, js_name = forEach)]
    fn for_each(this: &Pairs, each: &mut dyn FnMut(String, String));

    type Navigator;
    #[wasm_bindgen(method, getter, js_name = onLine)]
    fn on_line(this: &Navigator) -> Option<bool>;
    #[wasm_bindgen(thread_local_v2, js_name = navigator)]
    static NAVIGATOR: Option<Navigator>;
}

impl ReadResult {
    /// The chunk, copied out of JavaScript's memory; nothing at the end.
    pub(super) fn chunk(&self) -> Option<Bytes> {
        // At the end, and only there, it is undefined.
        self.value().map(|chunk| chunk.to_vec().into())
    }
}

/// Asks for the next chunk.
pub(super) fn read(reader: &ReadableStreamDefaultReader) -> ReadPromise {
    reader.read().unchecked_into()
}

/// Whether the browser is certain that there is no network.
pub(super) fn offline() -> bool {
    NAVIGATOR.with(|navigator| navigator.as_ref().and_then(Navigator::on_line)) == Some(false)
}

/// The head of `response`.
pub(super) fn head(response: &web_sys::Response) -> Result<Response<()>, Error> {
    let mut head = Response::new(());
    *head.status_mut() = status(response)?;
    let headers = head.headers_mut();
    let mut malformed = false;
    response.headers().unchecked_ref::<Pairs>().for_each(&mut |value, name| match (
        HeaderName::from_bytes(name.as_bytes()),
        header_value(&value),
    ) {
        (Ok(name), Some(value)) => malformed |= headers.try_append(name, value).is_err(),
        _ => malformed = true,
    });
    if malformed {
        return Err(Error::Protocol { reason: "a header is malformed".into() });
    }
    Ok(head)
}

fn status(response: &web_sys::Response) -> Result<StatusCode, Error> {
    if response.type_() == ResponseType::Opaqueredirect {
        // The browser hides which redirect it was.
        return Err(Error::Http { status: 302 });
    }
    StatusCode::from_u16(response.status())
        .map_err(|_| Error::Protocol { reason: "it has no HTTP status".into() })
}

/// JavaScript has each byte of a value as the character of that number.
fn header_value(text: &str) -> Option<HeaderValue> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        bytes.push(u8::try_from(character).ok()?);
    }
    HeaderValue::from_bytes(&bytes).ok()
}
