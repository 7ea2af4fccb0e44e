//! Subscribers that share HTTP/2 connections, ten on each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use proto::chat::v1::SubscribeRequest;

use super::connections::{Subscribers, connect};
use super::received::Received;
use crate::people::Guest;

/// Streams of a connection.
const STREAMS: usize = 10;

/// Opens a subscriber for each guest.
pub(super) async fn open(
    server: SocketAddr,
    guests: &[Guest],
    received: &Arc<Received>,
) -> Result<Subscribers> {
    let body = grpc_wire::message::encode(0, &SubscribeRequest::default().encode_to_vec());
    let mut subscribers = Subscribers::new();
    for (index, guests) in guests.chunks(STREAMS).enumerate() {
        let stream = TokioIo::new(connect(server, index).await?);
        let (mut calls, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection);
        for guest in guests {
            let request = Request::builder()
                .method(Method::POST)
                .uri(format!("http://{server}/chat.v1.ChatService/Subscribe"))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("authorization", guest.authorization())
                .body(Full::new(body.clone()))?;
            let response = calls.send_request(request).await?;
            let refused = response.headers().contains_key("grpc-status");
            ensure!(response.status().is_success() && !refused, "the response is {response:?}");
            let (received, closed) = (Arc::clone(received), Arc::clone(&subscribers.closed));
            // The connection lives as long as its streams.
            let calls = calls.clone();
            subscribers.tasks.spawn(async move {
                read(response.into_body(), &received).await;
                closed.fetch_add(1, Ordering::Relaxed);
                drop(calls);
            });
        }
    }
    Ok(subscribers)
}

async fn read(mut body: Incoming, received: &Received) {
    let mut rest = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            received.count(data, &mut rest);
        }
    }
}
