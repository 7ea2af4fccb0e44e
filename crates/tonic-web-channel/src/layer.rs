//! The layers of a call: each is one concern between the caller and the transport.
//!
//! A service is always ready and is called by `&self`: a call waits inside its future, where its deadline holds. Futures,
//! services and bodies are type-erased, so the number of layers does not multiply the code of a page. A layer that is
//! optional is stored in the builder as its constructor, so the linker drops it from a page that never configures it.
//!
//! A layer that needs something until the end of a call attaches a [`CallGuard`](crate::body::CallGuard) to the
//! response's body instead of wrapping the body: every wrapper is one more copy of `poll_frame` in the page.

pub(crate) mod compression;
pub(crate) mod concurrency;
pub(crate) mod context;
pub(crate) mod credentials;
pub(crate) mod deadline;
pub(crate) mod interceptor;
pub(crate) mod observe;
pub(crate) mod replay_body;
pub(crate) mod retry;
pub(crate) mod validate;

use std::sync::Arc;

use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;

use crate::body::ResponseBody;
use crate::maybe_send::BoxFuture;

/// One layer of a call with all layers below it.
pub(crate) trait Service: Send + Sync {
    fn call(self: Arc<Self>, request: Request<Body>) -> ResponseFuture;
}

pub(crate) type SharedService = Arc<dyn Service>;
pub(crate) type CallResult = Result<Response<ResponseBody>, Status>;
pub(crate) type ResponseFuture = BoxFuture<CallResult>;

/// Constructor of an optional layer around the service below it.
pub(crate) type Layer = Box<dyn FnOnce(SharedService) -> SharedService + Send + Sync>;

/// The optional layer that `new` makes.
pub(crate) fn layer<S: Service + 'static>(
    new: impl FnOnce(SharedService) -> S + Send + Sync + 'static,
) -> Layer {
    Box::new(move |inner| Arc::new(new(inner)))
}

/// Layers on top of each other, the innermost first.
pub(crate) struct Stack(SharedService);

impl Stack {
    pub(crate) fn new(innermost: impl Service + 'static) -> Self {
        Self(Arc::new(innermost))
    }

    /// Puts the layer that `new` makes around the stack.
    pub(crate) fn wrap<S: Service + 'static>(self, new: impl FnOnce(SharedService) -> S) -> Self {
        Self(Arc::new(new(self.0)))
    }

    /// Puts an optional layer around the stack, where there is one.
    pub(crate) fn push(self, layer: Option<Layer>) -> Self {
        match layer {
            Some(layer) => Self(layer(self.0)),
            None => self,
        }
    }

    /// Puts optional layers around the stack, the first outermost.
    pub(crate) fn push_all(self, layers: Vec<Layer>) -> Self {
        layers.into_iter().rfold(self, |stack, layer| stack.push(Some(layer)))
    }

    pub(crate) fn into_service(self) -> SharedService {
        self.0
    }
}
