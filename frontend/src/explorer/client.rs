//! Calls of any method of any server, by messages that are bytes. Knows no signals.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use bytes::Bytes;
use futures_util::Stream;
use grpc_inspect::{
    codec::BytesCodec,
    frame::MAX_PAYLOAD_BYTES,
    reflection::{self, Reflection, ReflectionError},
};
use http::uri::PathAndQuery;
use tonic::{Request, Response, Status, Streaming, client::Grpc, metadata::MetadataMap};
use tonic_web_channel::{
    Channel, Method, MethodKind, RequestExt as _,
    observe::CallEvent,
    rt::{MaybeSend, MaybeSync},
};

use super::address::Address;
use crate::api::socket_address;

/// Deadline of each call of the reflection service.
const REFLECTION_DEADLINE: Duration = Duration::from_secs(15);

thread_local! {
    /// The paths that were called. The channel's table of methods wants them for as long as the page lives; a person calls few.
    static PATHS: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// A server, with the WebSocket that its calls share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connection {
    url: String,
    #[cfg(target_arch = "wasm32")]
    socket: Option<tonic_web_channel::Socket>,
}

/// A call before it is made.
pub(super) struct Plan {
    /// `/package.Service/Method`.
    pub(super) path: String,
    /// The sides that send a stream.
    pub(super) kind: MethodKind,
    /// The metadata, with the token.
    pub(super) metadata: MetadataMap,
    /// The deadline.
    pub(super) deadline: Option<Duration>,
}

impl Connection {
    /// A server at an address. `own` is the page's origin. Nothing is connected yet.
    pub(super) fn new(address: &Address, own: &str) -> Connection {
        let url = address.url(own).to_owned();
        Connection {
            #[cfg(target_arch = "wasm32")]
            socket: socket_url(address, own).parse().ok().map(tonic_web_channel::Socket::new),
            url,
        }
    }

    /// The services of the server, by its reflection.
    pub(super) async fn reflect(
        &self,
        metadata: &MetadataMap,
        observer: impl Fn(&CallEvent) + MaybeSend + MaybeSync + 'static,
    ) -> Result<Reflection, ReflectionError> {
        let channel = self.channel(None, Some(REFLECTION_DEADLINE), observer);
        reflection::fetch(channel.map_err(ReflectionError::Call)?, metadata).await
    }

    /// Makes a call. The response has begun when this returns.
    pub(super) async fn call(
        &self,
        plan: Plan,
        requests: impl Stream<Item = Bytes> + Send + 'static,
        observer: impl Fn(&CallEvent) + MaybeSend + MaybeSync + 'static,
    ) -> Result<Response<Streaming<Bytes>>, Status> {
        let path = PathAndQuery::try_from(plan.path.as_str())
            .map_err(|_| Status::internal("the method's name cannot stand in an address"))?;
        let method = Method::new(lasting(&plan.path), plan.kind);
        let mut client = Grpc::new(self.channel(Some(method), None, observer)?);
        let mut request = Request::new(requests);
        *request.metadata_mut() = plan.metadata;
        // A person wants to see each failure.
        request.no_retry();
        match plan.deadline {
            Some(deadline) => request.set_timeout(deadline),
            None => {
                request.no_deadline();
            }
        }
        client.ready().await?;
        client.streaming(request, path, BytesCodec).await
    }

    fn channel(
        &self,
        method: Option<Method>,
        deadline: Option<Duration>,
        observer: impl Fn(&CallEvent) + MaybeSend + MaybeSync + 'static,
    ) -> Result<Channel, Status> {
        let mut builder = Channel::builder(&self.url)
            .methods(method)
            .capture(MAX_PAYLOAD_BYTES)
            // So that the bytes that are shown are those that came.
            .accept_compressed(None)
            .observer(observer);
        if let Some(deadline) = deadline {
            builder = builder.deadline(deadline);
        }
        #[cfg(target_arch = "wasm32")]
        // Reflection has no need of a socket: each of its questions is a call of its own.
        if let (Some(_), Ok(url), Some(socket)) = (method, self.url.parse(), self.socket.clone()) {
            use tonic_web_channel::{Auto, Fetch};

            builder = builder.transport(Auto::new(Fetch::new(url), socket));
        }
        builder.build().map_err(|error| Status::internal(error.to_string()))
    }
}

/// The address at which the server accepts WebSockets, if it does as ours.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "only a page opens WebSockets"))]
fn socket_url(address: &Address, own: &str) -> String {
    match address {
        Address::Own => socket_address(own),
        Address::Other(url) => [url, "/socket"].concat(),
    }
}

/// The path for as long as the page lives.
fn lasting(path: &str) -> &'static str {
    PATHS.with_borrow_mut(|paths| match paths.get(path) {
        Some(path) => path,
        None => {
            let path: &'static str = path.to_owned().leak();
            paths.insert(path);
            path
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept_once() {
        let first = lasting("/a.B/C");
        assert_eq!(first, "/a.B/C");
        assert!(std::ptr::eq(first, lasting(&["/a.B", "/C"].concat())));
        assert_ne!(lasting("/a.B/D"), first);
    }

    #[test]
    fn the_socket_stands_below_the_address() {
        let other = Address::Other("https://api.example/grpc".to_owned());
        assert_eq!(socket_url(&other, "http://own"), "https://api.example/grpc/socket");
        assert_eq!(socket_url(&Address::Own, "http://own"), "http://own/socket");
    }
}
