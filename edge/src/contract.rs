//! What a server has promised about its methods, kept for every call: how many request messages there
//! are, how large one may be, and the metadata that follows a response.
//!
//! Stands inside the gRPC-Web translation and around the services.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::{MapOk, TryFutureExt as _};
use http::{Request, Response};
use http_body::Body;
use tower::Service;
use tower_layer::Layer;

use crate::budget::CallAccount;
use crate::messages::{CheckedBody, Rules};
use crate::methods::{Kind, Methods};
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

    fn rules(&self, path: &str) -> Rules {
        let service = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let own = self.max_message_sizes.get(service).copied();
        Rules {
            max_message_size: own.unwrap_or(self.max_message_size),
            exactly_one: self.methods.kind(path) == Some(Kind::One),
        }
    }
}

/// Where a caller says how answers may be compressed.
const GRPC_ACCEPT_ENCODING: &str = "grpc-accept-encoding";

/// Keeps a contract.
#[derive(Clone, Debug)]
pub(crate) struct ContractLayer(Arc<Contract>);

impl ContractLayer {
    pub(crate) fn new(contract: Arc<Contract>) -> Self {
        Self(contract)
    }
}

impl<S> Layer<S> for ContractLayer {
    type Service = Kept<S>;

    fn layer(&self, inner: S) -> Kept<S> {
        Kept { inner, contract: Arc::clone(&self.0) }
    }
}

/// A service whose calls keep to a contract.
#[derive(Clone, Debug)]
pub(crate) struct Kept<S> {
    inner: S,
    contract: Arc<Contract>,
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
        let rules = self.contract.rules(request.uri().path());
        let account = request.extensions().get::<CallAccount>().cloned();
        let finish: Finish<ResBody> = finish;
        self.inner.call(request.map(|body| CheckedBody::new(body, rules, account.as_ref()))).map_ok(finish)
    }
}

fn finish<B>(mut response: Response<B>) -> Response<TrailedBody<B>> {
    let trailers = trailers::take(response.extensions_mut());
    response.map(|body| TrailedBody::new(body, trailers))
}
