//! The server: rendered pages, their files, gRPC-Web and gRPC on one port.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::get;
use leptos::config::LeptosOptions;
use leptos::prelude::*;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_serve::{App as Server, Methods, ServeOptions};
use tonic_web_channel::{Channel, InProcess};
use tower_http::services::ServeDir;

use crate::app::App;
use crate::quotes::quotes_server::{Quotes, QuotesServer};
use crate::quotes::{GetRequest, GetResponse, METHODS};

const QUOTES: [&str; 3] = [
    "Premature optimization is the root of all evil.",
    "Simplicity is prerequisite for reliability.",
    "There are only two kinds of languages: the ones people complain about and the ones nobody uses.",
];

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Serves until `shutdown` is ready. `site` is the folder with `pkg/leptos-ssr.js`, which `./build-page` makes.
pub async fn run(
    listener: TcpListener,
    site: &Path,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let service = QuotesServer::from_arc(Arc::new(Numbered::default()));
    // Pages that are rendered here call the service without a network.
    let channel = Channel::builder("http://in.process")
        .transport(InProcess::new(service.clone()))
        .methods(METHODS)
        .build()?;
    let app = Server::new(Routes::new(service)).methods(Methods::from(METHODS)).http(pages(site, channel));
    tonic_serve::serve(listener, app, ServeOptions::default(), shutdown).await?;
    Ok(())
}

/// The rendered page, and the folder with its script and its WebAssembly.
fn pages(site: &Path, channel: Channel) -> Router {
    // Rendering spawns tasks. An error says that a runtime was chosen before.
    any_spawner::Executor::init_tokio().ok();
    let options = LeptosOptions::builder().output_name("leptos-ssr").build();
    let context = move || provide_context(channel.clone());
    let render = leptos_axum::render_app_to_stream_with_context(context, move || shell(options.clone()));
    Router::new().route("/", get(render)).nest_service("/pkg", ServeDir::new(site.join("pkg")))
}

/// The document around the application.
fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <title>"Quotes"</title>
                <HydrationScripts options />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// The quotes, and the number of calls.
#[derive(Default)]
struct Numbered {
    calls: AtomicU64,
}

#[tonic::async_trait]
impl Quotes for Numbered {
    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let text = QUOTES[request.get_ref().number as usize % QUOTES.len()];
        Ok(Response::new(GetResponse { text: text.to_owned(), calls }))
    }
}
