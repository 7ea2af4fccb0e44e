//! The port that sends browsers from http to https: every request gets 308, and nothing else is served.

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::header::{HOST, LOCATION};
use http::uri::Authority;
use http::{HeaderValue, StatusCode};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_serve::{AllowedHosts, App, ServeOptions};

/// The port that https has when an address names none.
const HTTPS_PORT: u16 = 443;

/// Open connections of the port, in all and of one address. A redirect is short; at the limit idle ones make room.
const MAX_CONNECTIONS: usize = 32;
const MAX_CONNECTIONS_PER_ADDRESS: usize = 16;

/// Redirects requests for `hosts` to the port of https. Ends only with its task.
pub(super) async fn serve(listener: TcpListener, port: u16, hosts: AllowedHosts) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(redirect.listen = %address, "redirecting http to https");
    }
    let router = Router::new().fallback(move |request: Request| async move { redirect(&request, port) });
    let app = App::new(Routes::from(router.clone())).http(router).allowed_hosts(hosts);
    let options = ServeOptions::default()
        .max_connections(MAX_CONNECTIONS)
        .max_connections_per_address(MAX_CONNECTIONS_PER_ADDRESS)
        .web_sockets(false);
    if let Err(error) = tonic_serve::serve(listener, app, options, std::future::pending()).await {
        tracing::error!(%error, "http is redirected no more");
    }
}

/// The response to a request whose host was checked. Without a host there is nowhere to go.
fn redirect(request: &Request, port: u16) -> Response {
    let field = || request.headers().get(HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let location = request.uri().authority().cloned().or_else(field).and_then(|authority| {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        location(authority.host(), port, target)
    });
    match location {
        Some(location) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response(),
        None => (StatusCode::BAD_REQUEST, "a request must name its host\n").into_response(),
    }
}

fn location(host: &str, port: u16, target: &str) -> Option<HeaderValue> {
    // `OPTIONS *` has no path.
    let target = if target.starts_with('/') { target } else { "/" };
    let location = match port {
        HTTPS_PORT => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    HeaderValue::try_from(location).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_names_the_port_only_when_it_is_not_the_usual_one() {
        assert_eq!(location("chat.example", 443, "/room/a?b=c").unwrap(), "https://chat.example/room/a?b=c");
        assert_eq!(location("[::1]", 8443, "/").unwrap(), "https://[::1]:8443/");
        assert_eq!(
            location("chat.example", 443, "//evil.example/").unwrap(),
            "https://chat.example//evil.example/"
        );
        assert_eq!(location("chat.example", 443, "*").unwrap(), "https://chat.example/");
    }
}
