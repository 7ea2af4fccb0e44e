//! gRPC-Web in text: requests whose base64 comes in several parts, each with padding of its own.
//!
//! The protocol lets a client encode frame by frame. `tonic-web` decodes such a body as one text and
//! refuses it, so requests are decoded here, before it sees them.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

type BoxError = Box<dyn Error + Send + Sync>;

/// Base64 encodes three bytes in a group of this many characters.
const GROUP: usize = 4;

/// The text is not base64, or ends inside a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is not valid base64")]
pub(crate) struct NotBase64;

pin_project! {
    /// A request's body in bytes, whether it came so or as text.
    pub(crate) struct BinaryBody<B> {
        #[pin]
        body: B,
        text: Option<Decoder>,
        ended: bool,
    }
}

impl<B> BinaryBody<B> {
    /// A body that came as it is.
    pub(crate) fn plain(body: B) -> Self {
        Self { body, text: None, ended: false }
    }

    /// A body that came as base64.
    pub(crate) fn from_text(body: B) -> Self {
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
                return Poll::Ready(decoder.end().err().map(|error| Err(error.into())));
            };
            let text = match frame.map(Frame::into_data) {
                Ok(Ok(text)) => text,
                Ok(Err(_trailers)) => continue,
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            };
            match decoder.decode(&text) {
                // Less than a group has come.
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Err(error) => {
                    *this.ended = true;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.text {
            None => self.body.is_end_stream(),
            // The end of the text may still be a fault.
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

/// Decodes base64 that is cut anywhere, with padding after any group.
#[derive(Debug, Default)]
struct Decoder {
    /// The beginning of a group whose rest has not come.
    rest: BytesMut,
}

impl Decoder {
    fn decode(&mut self, text: &[u8]) -> Result<Bytes, NotBase64> {
        self.rest.extend_from_slice(text);
        let whole = self.rest.len() / GROUP * GROUP;
        let groups = self.rest.split_to(whole);
        let mut bytes = Vec::with_capacity(whole / GROUP * 3);
        let mut groups = &groups[..];
        while !groups.is_empty() {
            // Padding ends a part; the next group begins another one.
            let padding = groups.iter().position(|byte| *byte == b'=');
            let part = padding.map_or(groups.len(), |at| at / GROUP * GROUP + GROUP);
            let (part, others) = groups.split_at(part);
            STANDARD.decode_vec(part, &mut bytes).map_err(|_| NotBase64)?;
            groups = others;
        }
        Ok(bytes.into())
    }

    fn end(&self) -> Result<(), NotBase64> {
        if self.rest.is_empty() { Ok(()) } else { Err(NotBase64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a text decodes to when it comes in pieces of `size` characters.
    fn decoded(text: &str, size: usize) -> Result<Vec<u8>, NotBase64> {
        let mut decoder = Decoder::default();
        let mut bytes = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            bytes.extend_from_slice(&decoder.decode(piece)?);
        }
        decoder.end().map(|()| bytes)
    }

    #[test]
    fn parts_with_padding_of_their_own_are_one_body_wherever_they_are_cut() {
        let parts: [&[u8]; 5] = [b"a", b"bcd", b"", b"efgh", b"ijklm"];
        let text: String = parts.iter().map(|part| STANDARD.encode(part)).collect();
        for size in 1..=text.len() {
            assert_eq!(decoded(&text, size).unwrap(), b"abcdefghijklm", "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["YQ", "YQ=", "YQ==Y", "=YQ=", "Y===", "YW Jj", "YWJ*", "YQ=a"] {
            assert_eq!(decoded(text, 100), Err(NotBase64), "{text:?}");
        }
    }
}
