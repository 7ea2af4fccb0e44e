//! A transport without a network: a service in the same process, behind the bytes of gRPC-Web, with faults on
//! order.

mod wire;

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use self::wire::Wire;
use crate::error::Error;
use crate::maybe_send::BoxFuture;
use crate::transport::Transport;
use crate::web;

/// A [`Transport`] to a service in the same process, for tests of what stands on a channel: no network, no
/// port, nothing that happens by chance; on native targets and in the browser.
///
/// The service is what `tonic` generated, or `tonic::service::Routes` with several. Its response is written
/// as gRPC-Web, suffers the [`Fault`]s that were ordered, and is read by the same code that reads a server's
/// over `fetch`. As in a browser, a stream of requests is read to its end before the service is called.
///
/// Clones are the same network: give one to the channel and order faults by the other.
///
/// ```
/// use tonic_web_channel::{Channel, Error, Fault, InProcess};
/// use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let (_reporter, service) = tonic_health::server::health_reporter();
/// let network = InProcess::new(service);
/// let channel = Channel::builder("http://in.process").transport(network.clone()).build()?;
/// // The application's own code takes the channel, or the client, as it takes a real one.
/// let mut client = HealthClient::new(channel);
/// client.check(HealthCheckRequest::default()).await?;
///
/// // What does it do when a proxy cuts the answer off?
/// network.next([Fault::CutAt(3)]);
/// let status = client.check(HealthCheckRequest::default()).await.unwrap_err();
/// assert!(matches!(Error::from_status(&status), Some(Error::Truncated { .. })));
/// assert_eq!(network.calls(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct InProcess {
    serve: Arc<dyn Fn(Request<Body>) -> Served + Send + Sync>,
    script: Arc<Script>,
}

type Served = BoxFuture<Result<Response<Body>, Status>>;

/// What goes wrong with a call. Positions are bytes of the response's body as gRPC-Web has it, from 0, after
/// what is duplicated has been.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The call takes this long before anything else happens.
    Delay(Duration),
    /// The call fails with this, and the service is not asked: [`Error::Offline`], [`Error::Connect`],
    /// [`Error::Fetch`].
    Fail(Error),
    /// A proxy answers with this HTTP status and a page of its own, and the service is not asked.
    /// [`Error::Http`], or for 200 [`Error::ContentType`].
    Status(StatusCode),
    /// The response's content type is this one. [`Error::ContentType`].
    ContentType(HeaderValue),
    /// The body ends here, properly as HTTP has it. [`Error::Truncated`].
    CutAt(usize),
    /// The connection breaks here. [`Error::ConnectionLost`].
    DropAt(usize),
    /// Nothing more comes from here on, and the connection stays open: for deadlines and idle timeouts.
    StallAt(usize),
    /// The message with this number, from 0, comes twice.
    DuplicateMessage(usize),
    /// The trailers come twice. [`Error::Protocol`].
    DuplicateTrailers,
    /// The body comes in pieces of so many bytes, at least one.
    Pieces(usize),
}

/// Which faults are ordered, and how often the network was used.
#[derive(Debug, Default)]
struct Script {
    orders: Mutex<Orders>,
    calls: AtomicU64,
}

#[derive(Debug, Default)]
struct Orders {
    /// One entry a call, as long as whoever tests makes it.
    next: VecDeque<Vec<Fault>>,
    always: Vec<Fault>,
}

impl InProcess {
    /// A network with one server, which is `service`.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let service = Mutex::new(service);
        let serve = move |request| -> Served {
            let mut service = service.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Box::pin(async move {
                let failed = |error: S::Error| Status::from_error(error.into());
                poll_fn(|cx| service.poll_ready(cx)).await.map_err(failed)?;
                Ok(service.call(request).await.map_err(failed)?.map(Body::new))
            })
        };
        Self { serve: Arc::new(serve), script: Arc::default() }
    }

    /// Orders `faults` for the next call, all of them together. Called again before that, it orders for the
    /// call after it, and so on; a call without any is one with an empty order. A call that the channel
    /// repeats is a call each time.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.orders(|orders| orders.next.push_back(faults.into_iter().collect()));
    }

    /// Orders `faults` for every call that [`next`](Self::next) has no order for. None ends that.
    pub fn always(&self, faults: impl IntoIterator<Item = Fault>) {
        self.orders(|orders| orders.always = faults.into_iter().collect());
    }

    /// How many calls were made, those that failed and every repetition included.
    pub fn calls(&self) -> u64 {
        self.script.calls.load(Ordering::Relaxed)
    }

    fn orders<T>(&self, act: impl FnOnce(&mut Orders) -> T) -> T {
        act(&mut self.script.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Transport for InProcess {
    fn call(&self, request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>> {
        self.script.calls.fetch_add(1, Ordering::Relaxed);
        let faults = self.orders(|orders| orders.next.pop_front().unwrap_or_else(|| orders.always.clone()));
        let serve = self.serve.clone();
        Box::pin(async move {
            for fault in &faults {
                if let Fault::Delay(delay) = fault {
                    crate::sleep(*delay).await;
                }
            }
            let extensions = request.extensions().clone();
            let response = match refused(&faults)? {
                Some(page) => page,
                None => served(&serve, request).await?,
            };
            let (mut head, body) = response.into_parts();
            for fault in &faults {
                if let Fault::ContentType(value) = fault {
                    head.headers.insert(http::header::CONTENT_TYPE, value.clone());
                }
            }
            let bytes = Wire::new(body, &faults);
            Ok(web::response(Response::from_parts(head, bytes), &extensions)?)
        })
    }
}

/// What comes instead of the service's answer.
fn refused(faults: &[Fault]) -> Result<Option<Response<Body>>, Error> {
    for fault in faults {
        match fault {
            Fault::Fail(error) => return Err(error.clone()),
            Fault::Status(status) => {
                let mut page = Response::new(wire::page());
                *page.status_mut() = *status;
                page.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
                return Ok(Some(page));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The service's answer, with the head that a server of gRPC-Web gives it.
async fn served(
    serve: &Arc<dyn Fn(Request<Body>) -> Served + Send + Sync>,
    request: Request<Body>,
) -> Result<Response<Body>, Status> {
    let (head, body) = request.into_parts();
    let body = Body::new(wire::once(web::collect(body).await?));
    let mut response = serve(Request::from_parts(head, body)).await?;
    let content_type = response.headers_mut().get_mut(http::header::CONTENT_TYPE);
    if let Some(value) = content_type.filter(|value| value.as_bytes().starts_with(b"application/grpc")) {
        *value = HeaderValue::from_static("application/grpc-web+proto");
    }
    Ok(response)
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").field("script", &self.script).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(target_arch = "wasm32")]
mod tests {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::Channel;

    #[wasm_bindgen_test]
    async fn a_generated_service_runs_inside_the_page() {
        let (_reporter, service) = tonic_health::server::health_reporter();
        let network = InProcess::new(service);
        let channel = Channel::builder("http://in.process").transport(network.clone()).build().unwrap();
        let mut client = HealthClient::new(channel);

        client.check(HealthCheckRequest::default()).await.unwrap();
        network.next([Fault::Delay(Duration::from_millis(20)), Fault::CutAt(9)]);
        let status = client.check(HealthCheckRequest::default()).await.unwrap_err();

        let place = "inside its trailers";
        assert_eq!(Error::from_status(&status), Some(&Error::Truncated { place }), "{status:?}");
    }
}
