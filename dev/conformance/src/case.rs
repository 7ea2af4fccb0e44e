//! A case of the suite: its requests, its server, and the time of its cancellation.

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::{Either, select};
use futures_util::{Stream, StreamExt as _, stream};
use prost::Message;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic_web_channel::RequestExt as _;

use crate::metadata::to_metadata;
use crate::pb::client_compat_request::cancel::CancelTiming;
use crate::pb::{ClientCompatRequest, Codec, Compression, HttpVersion, Protocol, StreamType};

/// The service that is meant when a case names none.
const SERVICE: &str = "connectrpc.conformance.v1.ConformanceService";

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    request: ClientCompatRequest,
    timing: Timing,
    /// Cancels the call.
    cancel: CancellationToken,
    /// Cancelled when every request message is sent.
    sent: CancellationToken,
    /// Number of received responses.
    responses: watch::Sender<usize>,
}

/// The time of a call's cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timing {
    Never,
    /// After all messages, before the end of the request stream.
    BeforeClose,
    /// This long after the end of the request stream.
    AfterClose(Duration),
    /// After this many responses.
    AfterResponses(usize),
}

impl Case {
    pub(crate) fn new(request: ClientCompatRequest) -> Result<Self> {
        ensure!(request.raw_request.is_none(), "a raw request is for the suite's own client");
        ensure!(request.codec() == Codec::Proto, "this client speaks Protobuf");
        let service = request.service.as_deref().unwrap_or(SERVICE);
        ensure!(service == SERVICE, "there is no service {service}");
        let timing = timing(&request)?;
        let (cancel, sent) = (CancellationToken::new(), CancellationToken::new());
        Ok(Self { request, timing, cancel, sent, responses: watch::Sender::new(0) })
    }

    pub(crate) fn method(&self) -> &str {
        self.request.method()
    }

    /// Scheme, host and port of the server.
    pub(crate) fn server(&self) -> String {
        let scheme = if self.request.server_tls_cert.is_empty() { "http" } else { "https" };
        format!("{scheme}://{}:{}", self.request.host, self.request.port)
    }

    /// Whether requests are compressed by gzip.
    pub(crate) fn gzip(&self) -> Result<bool> {
        match self.request.compression() {
            Compression::Unspecified | Compression::Identity => Ok(false),
            Compression::Gzip => Ok(true),
            other => bail!("this client does not know {}", other.as_str_name()),
        }
    }

    /// Limit of a response message, bytes.
    pub(crate) fn receive_limit(&self) -> Option<usize> {
        usize::try_from(self.request.message_receive_limit).ok().filter(|limit| *limit > 0)
    }

    /// The protocol of the call, one of `spoken`.
    pub(crate) fn protocol(&self, spoken: &[Protocol]) -> Result<Protocol> {
        let wanted = self.request.protocol();
        ensure!(spoken.contains(&wanted), "this client does not speak {}", wanted.as_str_name());
        let version = self.request.http_version();
        ensure!(version != HttpVersion::HttpVersion3, "this client does not speak HTTP/3");
        Ok(wanted)
    }

    /// The path of the server behind the bridge.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn tunnel(&self) -> String {
        format!("/tunnel/{}/{}", self.request.host, self.request.port)
    }

    /// The request of a method with one request message.
    pub(crate) async fn one<Q: Message + Default>(&self) -> Result<Request<Q>> {
        let [message] = self.messages::<Q>()?.try_into().ok().context("not exactly one message")?;
        let request = self.request_with(message)?;
        tonic_web_channel::rt::sleep(self.delay()).await;
        self.sent.cancel();
        Ok(request)
    }

    /// The request of a method with a request stream. In a full-duplex call each message waits for the response to the
    /// one before, and the end for the last response.
    pub(crate) fn many<Q>(&self) -> Result<Request<impl Stream<Item = Q> + Send + 'static>>
    where
        Q: Message + Default + 'static,
    {
        let messages = self.messages::<Q>()?;
        let (delay, sent, count) = (self.delay(), self.sent.clone(), messages.len());
        let in_step = self.request.stream_type() == StreamType::FullDuplexBidiStream;
        let stays_open = self.timing == Timing::BeforeClose;
        let responses = self.responses.subscribe();
        let answered = move |requests: usize| {
            let mut responses = responses.clone();
            async move {
                if in_step {
                    // The end of the call drops this.
                    responses.wait_for(|count| *count >= requests).await.ok();
                }
            }
        };
        let (before, at_end) = (answered.clone(), answered(count));
        let messages = stream::iter(messages.into_iter().enumerate()).then(move |(index, message)| {
            let turn = before(index);
            async move {
                turn.await;
                tonic_web_channel::rt::sleep(delay).await;
                message
            }
        });
        let end = stream::once(async move {
            at_end.await;
            sent.cancel();
            if stays_open {
                pending::<()>().await;
            }
        });
        self.request_with(messages.chain(end.filter_map(async |()| None)))
    }

    fn messages<Q: Message + Default>(&self) -> Result<Vec<Q>> {
        let messages = self.request.request_messages.iter();
        messages.map(|any| Q::decode(&*any.value).context("a request message")).collect()
    }

    fn request_with<T>(&self, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        *request.metadata_mut() = to_metadata(&self.request.request_headers)?;
        request.cancel_with(self.cancel.clone());
        if let Some(timeout_ms) = self.request.timeout_ms {
            request.set_timeout(Duration::from_millis(timeout_ms.into()));
        }
        Ok(request)
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.request.request_delay_ms.into())
    }

    /// Reports the number of received responses, after each of them.
    pub(crate) fn received(&self, responses: usize) {
        self.responses.send_replace(responses);
        if self.timing == Timing::AfterResponses(responses) {
            self.cancel.cancel();
        }
    }

    /// Whether the call was cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Awaits `call`, and cancels it at the time that depends on the sent messages.
    pub(crate) async fn watched<T>(&self, call: impl Future<Output = T>) -> T {
        let watch = pin!(async {
            self.sent.cancelled().await;
            match self.timing {
                Timing::BeforeClose => self.cancel.cancel(),
                Timing::AfterClose(delay) => {
                    tonic_web_channel::rt::sleep(delay).await;
                    self.cancel.cancel();
                }
                Timing::Never | Timing::AfterResponses(_) => {}
            }
        });
        match select(pin!(call), watch).await {
            Either::Left((result, _)) => result,
            Either::Right(((), call)) => call.await,
        }
    }
}

fn timing(request: &ClientCompatRequest) -> Result<Timing> {
    let Some(cancel) = &request.cancel else { return Ok(Timing::Never) };
    Ok(match cancel.cancel_timing {
        None => Timing::AfterClose(Duration::ZERO),
        Some(CancelTiming::BeforeCloseSend(())) => Timing::BeforeClose,
        Some(CancelTiming::AfterCloseSendMs(ms)) => Timing::AfterClose(Duration::from_millis(ms.into())),
        Some(CancelTiming::AfterNumResponses(count)) => Timing::AfterResponses(count.try_into()?),
    })
}
