//! Compression of requests, and the acceptance of compressed responses, which are decompressed where they are read.

use std::sync::Arc;

use http::Request;
use tonic::body::Body;

use super::{Layer, ResponseFuture, Service, SharedService, layer};
use crate::compression::{self, CompressBody};
use crate::context::CallContext;
use crate::gzip;

/// Accepts gzip from servers.
pub(crate) struct AcceptCompressed {
    inner: SharedService,
}

impl AcceptCompressed {
    /// The layer, where the target can decompress: a browser of before 2023 may not.
    pub(crate) fn layer() -> Option<Layer> {
        gzip::is_supported().then(|| layer(|inner| Self { inner }))
    }
}

impl Service for AcceptCompressed {
    fn call(self: Arc<Self>, mut request: Request<Body>) -> ResponseFuture {
        let accepts_gzip = compression::accept(request.headers_mut());
        CallContext::of_mut(request.extensions_mut()).accepts_gzip = accepts_gzip;
        self.inner.clone().call(request)
    }
}

/// Compresses the messages of requests.
pub(crate) struct SendCompressed {
    inner: SharedService,
}

impl SendCompressed {
    pub(crate) fn layer() -> Layer {
        layer(|inner| Self { inner })
    }
}

impl Service for SendCompressed {
    fn call(self: Arc<Self>, mut request: Request<Body>) -> ResponseFuture {
        // A client that compresses is left alone.
        if compression::announce(request.headers_mut()) {
            request = request.map(|body| Body::new(CompressBody::new(body)));
        }
        self.inner.clone().call(request)
    }
}
