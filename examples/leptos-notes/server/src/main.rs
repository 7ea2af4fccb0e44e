//! Starts the server: `server [ADDRESS]`, by default 127.0.0.1:3000.

use std::path::PathBuf;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = tonic_serve::listen(address.parse()?)?;
    println!("listening on http://{}", listener.local_addr()?);

    let page = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../page/dist"));
    let shutdown = async {
        // Without a handler for Ctrl-C the system ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    server::run(listener, page, shutdown).await
}
