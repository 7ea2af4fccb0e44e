//! Trailing metadata of successful calls.
//!
//! In tonic, a handler of a unary or client-streaming method sets the metadata before the response, and the trailers of a
//! failure, but not the trailers of a success.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Extensions, HeaderMap};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::metadata::MetadataMap;

/// The prefix of the protocol's own trailers, which no application sets.
const RESERVED: &str = "grpc-";

/// Trailing metadata of a successful response: put it into the response's extensions.
///
/// ```
/// use tonic_serve::TrailingMetadata;
/// use tonic::metadata::MetadataMap;
///
/// let mut response = tonic::Response::new("a message");
/// let mut metadata = MetadataMap::new();
/// metadata.insert("x-cost", "7".parse()?);
/// response.extensions_mut().insert(TrailingMetadata(metadata));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// It is sent with the status, after the last message, to native and gRPC-Web callers alike. Keys that begin with `grpc-` belong
/// to the protocol and are left out. Streams can use it for metadata that is known at their beginning; a stream's handler can
/// also end it with a [`Status`](tonic::Status) whose code is `Ok` and which carries metadata.
#[derive(Clone, Debug, Default)]
pub struct TrailingMetadata(pub MetadataMap);

/// Takes the trailing metadata out of the extensions of a response.
pub(super) fn take(extensions: &mut Extensions) -> Option<HeaderMap> {
    let TrailingMetadata(metadata) = extensions.remove()?;
    let mut trailers = HeaderMap::new();
    for (name, value) in &metadata.into_headers() {
        if !name.as_str().starts_with(RESERVED) {
            trailers.append(name, value.clone());
        }
    }
    Some(trailers)
}

pin_project! {
    /// A response body with additional trailers.
    pub(super) struct TrailersBody<B> {
        #[pin]
        body: B,
        trailers: Option<HeaderMap>,
    }
}

impl<B> TrailersBody<B> {
    pub(super) fn new(body: B, trailers: Option<HeaderMap>) -> Self {
        Self { body, trailers }
    }
}

impl<B: Default> Default for TrailersBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B: Body<Data = Bytes>> Body for TrailersBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        this.body.poll_frame(cx).map_ok(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                for (name, value) in &this.trailers.take().unwrap_or_default() {
                    trailers.append(name, value.clone());
                }
            }
            frame
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
