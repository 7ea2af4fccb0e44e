//! What a server has promised about its methods, kept for every call: how many request messages there
//! are, how large one may be, how slowly it may come, and the metadata that follows a response.
//!
//! Stands inside the gRPC-Web translation and around the services.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::{MapOk, TryFutureExt as _};
use http::{Request, Response, Version};
use http_body::Body;
use tower::Service;
use tower_layer::Layer;

use crate::budget::CallAccount;
use crate::messages::{CheckedBody, Rules};
use crate::methods::{Kind, Methods};
use crate::pace::{Awaited, PaceLimits};
use crate::trailers::{self, TrailedBody};

/// Largest request message unless told otherwise, bytes: what tonic takes, too.
pub(crate) const DEFAULT_MAX_MESSAGE_SIZE: usize = 4 * 1024 * 1024;

/// What holds for the calls of a server.
#[derive(Clone, Debug)]
pub(crate) struct Contract {
    pub(crate) methods: Methods,
    pub(crate) max_message_size: usize,
    /// By the full name of a service.
    pub(crate) max_message_sizes: HashMap<String, usize>,
    /// By path; `None`: all methods.
    pub(crate) compressed: Option<HashSet<String>>,
}

impl Default for Contract {
    fn default() -> Self {
        Self {
            methods: Methods::default(),
            max_message_size: DEFAULT_MAX_MESSAGE_SIZE,
            max_message_sizes: HashMap::new(),
            compressed: None,
        }
    }
}

impl Contract {
    fn compresses(&self, path: &str) -> bool {
        self.compressed.as_ref().is_none_or(|paths| paths.contains(path))
    }

    fn rules(&self, path: &str, version: Version) -> Rules {
        let service = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let kind = self.methods.kind(path);
        let own = self.max_message_sizes.get(service).copied();
        Rules {
            max_message_size: own.unwrap_or(self.max_message_size),
            exactly_one: kind == Some(Kind::One),
            between: match kind {
                Some(Kind::One) => Awaited::Rest,
                Some(Kind::Stream) => Awaited::Next,
                // Of a method that is not known, as little is demanded as of any.
                Some(Kind::Duplex) | None if version >= Version::HTTP_2 => Awaited::Anything,
                // Nothing but a byte shows that a silent client over HTTP/1.1 is there.
                Some(Kind::Duplex) | None => Awaited::Next,
            },
        }
    }
}

/// Where a caller says how answers may be compressed.
const GRPC_ACCEPT_ENCODING: &str = "grpc-accept-encoding";

/// Keeps a contract.
#[derive(Clone, Debug)]
pub(crate) struct ContractLayer {
    contract: Arc<Contract>,
    pace: PaceLimits,
}

impl ContractLayer {
    /// `pace` is how slowly a request may come.
    pub(crate) fn new(contract: Arc<Contract>, pace: PaceLimits) -> Self {
        Self { contract, pace }
    }
}

impl<S> Layer<S> for ContractLayer {
    type Service = Kept<S>;

    fn layer(&self, inner: S) -> Kept<S> {
        Kept { inner, contract: Arc::clone(&self.contract), pace: self.pace }
    }
}

/// A service whose calls keep to a contract.
#[derive(Clone, Debug)]
pub(crate) struct Kept<S> {
    inner: S,
    contract: Arc<Contract>,
    pace: PaceLimits,
}

type Finish<B> = fn(Response<B>) -> Response<TrailedBody<B>>;

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Kept<S>
where
    S: Service<Request<CheckedBody<ReqBody>>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<TrailedBody<ResBody>>;
    type Error = S::Error;
    type Future = MapOk<S::Future, Finish<ResBody>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if !self.contract.compresses(request.uri().path()) {
            request.headers_mut().remove(GRPC_ACCEPT_ENCODING);
        }
        let rules = self.contract.rules(request.uri().path(), request.version());
        let pace = self.pace;
        let account = request.extensions().get::<CallAccount>().cloned();
        let finish: Finish<ResBody> = finish;
        let check = |body| CheckedBody::new(body, rules, pace, account.as_ref());
        self.inner.call(request.map(check)).map_ok(finish)
    }
}

fn finish<B>(mut response: Response<B>) -> Response<TrailedBody<B>> {
    let trailers = trailers::take(response.extensions_mut());
    response.map(|body| TrailedBody::new(body, trailers))
}
