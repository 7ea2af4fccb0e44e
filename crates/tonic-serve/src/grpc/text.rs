//! Request bodies in gRPC-Web's text format.
//!
//! A client may encode frame by frame, so a body is base64 in several parts, each with its own padding. `tonic-web` refuses such
//! bodies, so they are decoded before it reads them.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpc_wire::web::text::Decoder;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

type BoxError = Box<dyn Error + Send + Sync>;

/// The text is not base64, or ends inside a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is not valid base64")]
pub(super) struct InvalidText;

pin_project! {
    /// A request body in bytes, decoded if it is text.
    pub(super) struct BinaryBody<B> {
        #[pin]
        body: B,
        text: Option<Decoder>,
        ended: bool,
    }
}

impl<B> BinaryBody<B> {
    /// A body that is not text.
    pub(super) fn from_binary(body: B) -> Self {
        Self { body, text: None, ended: false }
    }

    /// A body in base64.
    pub(super) fn from_text(body: B) -> Self {
        Self { body, text: Some(Decoder::default()), ended: false }
    }
}

impl<B> Body for BinaryBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let Some(decoder) = this.text else {
            return this.body.poll_frame(cx).map_err(Into::into);
        };
        loop {
            if *this.ended {
                return Poll::Ready(None);
            }
            let Some(frame) = ready!(this.body.as_mut().poll_frame(cx)) else {
                *this.ended = true;
                return Poll::Ready(decoder.is_incomplete().then(|| Err(InvalidText.into())));
            };
            let text = match frame.map(Frame::into_data) {
                Ok(Ok(text)) => text,
                Ok(Err(_trailers)) => continue,
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            };
            let bytes = decoder.decode(&text);
            if decoder.is_invalid() {
                *this.ended = true;
                return Poll::Ready(Some(Err(InvalidText.into())));
            }
            // Nothing is decoded of an incomplete group.
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.text {
            None => self.body.is_end_stream(),
            // The end of the text may still be invalid.
            Some(_) => self.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.text {
            None => self.body.size_hint(),
            Some(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use grpc_wire::web::text::encode;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    /// The bytes of a body that comes in chunks of `size` characters.
    async fn decoded(text: &str, size: usize) -> Result<Bytes, String> {
        let chunks: Vec<_> = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
        let frames = chunks.into_iter().map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)));
        let body = BinaryBody::from_text(StreamBody::new(stream::iter(frames)));
        let collected = body.collect().await.map_err(|error| error.to_string())?;
        Ok(collected.to_bytes())
    }

    #[tokio::test]
    async fn padded_parts_are_one_body_wherever_they_are_cut() {
        let parts: [&[u8]; 5] = [b"a", b"bcd", b"", b"efgh", b"ijklm"];
        let text: String = parts.iter().map(|part| encode(part)).collect();
        for size in 1..=text.len() {
            assert_eq!(decoded(&text, size).await.unwrap(), "abcdefghijklm", "in chunks of {size}");
        }
    }

    #[tokio::test]
    async fn invalid_base64_is_refused() {
        for text in ["YQ", "YQ=", "YQ==Y", "=YQ=", "Y===", "YW Jj", "YWJ*", "YQ=a"] {
            assert_eq!(decoded(text, 100).await, Err(InvalidText.to_string()), "{text:?}");
        }
    }
}
