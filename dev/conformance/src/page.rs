//! The page's side of the bridge: several workers, each of which asks for a case, runs it, and sends the result with its
//! next request.

use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::{Either, select};
use js_sys::Uint8Array;
use prost::Message as _;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{RequestInit, Response};

use crate::case::Case;
use crate::client;
use crate::pb::client_compat_response::Result as Outcome;
use crate::pb::{ClientCompatRequest, ClientCompatResponse, ClientErrorResult};

/// Number of concurrent cases: less than the six connections that a browser opens to one host.
const WORKERS: usize = 5;
/// Time limit of a case. The suite ends the whole run after 20 s without a result.
const CASE_TIMEOUT: Duration = Duration::from_secs(12);
/// The bridge has no more cases.
const NO_CONTENT: u16 = 204;

/// The end of the page's address when sockets are opened at the server under test.
const DIRECT: &str = "?direct";

/// Starts the workers; they end when there are no more cases.
pub fn run() {
    console_error_panic_hook::set_once();
    for _ in 0..WORKERS {
        spawn_local(async {
            if let Err(error) = work().await {
                web_sys::console::error_2(&"a worker ended:".into(), &error);
            }
        });
    }
}

/// The address of the WebSocket to a case's server: the server's own when the page's address ends with [`DIRECT`], else
/// the bridge's, because the suite's servers have no WebSockets.
pub(crate) fn socket_of(case: &Case) -> anyhow::Result<http::Uri> {
    let location = web_sys::window().context("there is no window")?.location();
    let of_page = |error| anyhow::anyhow!("the page has no address: {error:?}");
    if location.search().map_err(of_page)? == DIRECT {
        return Ok(case.server().parse()?);
    }
    Ok([location.origin().map_err(of_page)?, case.tunnel()].concat().parse()?)
}

async fn work() -> Result<(), JsValue> {
    let mut answer = Vec::new();
    while let Some(case) = next(&answer).await? {
        let request = ClientCompatRequest::decode(&*case).map_err(|error| error.to_string())?;
        answer = run_guarded(request).await.encode_to_vec();
    }
    Ok(())
}

/// Sends the last result, empty at first, and waits for the next case.
async fn next(answer: &[u8]) -> Result<Option<Vec<u8>>, JsValue> {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&Uint8Array::from(answer));
    let window = web_sys::window().ok_or("there is no window")?;
    let response: Response =
        JsFuture::from(window.fetch_with_str_and_init("/next", &init)).await?.dyn_into()?;
    match response.status() {
        NO_CONTENT => Ok(None),
        200 => Ok(Some(Uint8Array::new(&JsFuture::from(response.array_buffer()?).await?).to_vec())),
        status => Err(format!("the bridge answers with HTTP {status}").into()),
    }
}

/// Runs a case with a time limit, so that a hanging case fails alone.
async fn run_guarded(request: ClientCompatRequest) -> ClientCompatResponse {
    let test_name = request.test_name.clone();
    match select(pin!(client::run(request)), pin!(tonic_web_channel::rt::sleep(CASE_TIMEOUT))).await {
        Either::Left((response, _)) => response,
        Either::Right(((), _)) => {
            let message = format!("the case did not end within {CASE_TIMEOUT:?}");
            ClientCompatResponse { test_name, result: Some(Outcome::Error(ClientErrorResult { message })) }
        }
    }
}
