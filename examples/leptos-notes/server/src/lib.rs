//! The server: one port for the page, gRPC-Web and gRPC.

mod notes;

use std::path::PathBuf;

use contract::notes_server::NotesServer;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_serve::{App, Methods, Page, ServeOptions};

use crate::notes::Board;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Serves the notes and the page in the folder `page` until `shutdown` is ready.
pub async fn run(
    listener: TcpListener,
    page: PathBuf,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let app = App::new(Routes::new(NotesServer::new(Board::default())))
        .methods(Methods::from(contract::METHODS))
        .page(Page::new(page).when_missing("<!doctype html><p>Run <code>trunk build</code> in page/."));
    tonic_serve::serve(listener, app, ServeOptions::default(), shutdown).await?;
    Ok(())
}
