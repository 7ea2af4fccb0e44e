//! The operators' port: the metrics of the server, and nothing else. It has no TLS and no authentication.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_serve::{AllowedHosts, App, ServeOptions};

use crate::metrics::{CONTENT_TYPE as METRICS, Metrics};

/// Open connections of the port: a few scrapers. At the limit idle ones make room.
const MAX_CONNECTIONS: usize = 16;

/// The text of all other paths.
const ELSEWHERE: &str = "the metrics are at /metrics\n";

/// Logs the operators' address.
pub(super) fn announce(listener: &TcpListener) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(admin.listen = %address, "serving metrics for operators");
    if !address.ip().to_canonical().is_loopback() {
        tracing::warn!(
            "everybody who reaches the address of --admin can read the metrics: keep it inside a network that you trust"
        );
    }
    Ok(())
}

/// Serves `metrics` on `listener`, for requests for `hosts`. Ends only with its task.
pub(super) async fn serve(listener: TcpListener, metrics: Arc<Metrics>, hosts: AllowedHosts) {
    let scrape = get(move || scrape(Arc::clone(&metrics)));
    let router =
        Router::new().route("/metrics", scrape).fallback(async || (StatusCode::NOT_FOUND, ELSEWHERE));
    let app = App::new(Routes::default()).http(router).allowed_hosts(hosts);
    let options = ServeOptions::default()
        .max_connections(MAX_CONNECTIONS)
        .max_connections_per_address(MAX_CONNECTIONS)
        .web_sockets(false);
    if let Err(error) = tonic_serve::serve(listener, app, options, std::future::pending()).await {
        tracing::error!(%error, "the metrics are served no more");
    }
}

async fn scrape(metrics: Arc<Metrics>) -> Response {
    // Encoding reads files.
    let encoded = tokio::task::spawn_blocking(move || metrics.encode()).await;
    match encoded {
        Ok(Ok(text)) => ([(CONTENT_TYPE, METRICS), (CACHE_CONTROL, "no-store")], text).into_response(),
        Ok(Err(_)) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
