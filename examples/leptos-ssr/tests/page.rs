//! The page as the server renders it and as the browser takes it over. Needs `./build-page`.
#![cfg(feature = "ssr")]

use std::path::Path;

use anyhow::Result;

#[tokio::test(flavor = "multi_thread")]
async fn browser_takes_the_value_of_the_server_and_calls_for_the_next_one() -> Result<()> {
    let listener = tonic_serve::listen("127.0.0.1:0".parse()?)?;
    let url = format!("http://{}", listener.local_addr()?);
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("site");
    tokio::spawn(async move { leptos_ssr::server::run(listener, &site, std::future::pending()).await });

    headless::check(&url, async |page| {
        // The server's own call was the first one, and the browser made none for the same quote.
        page.find("//blockquote[starts-with(., 'Premature')]").await?;
        page.find("//p[.='Call 1']").await?;
        // The document is static until it is hydrated, so the first clicks may go nowhere.
        page.find("//html[@data-hydrated]").await?;
        page.find("//button[.='Next']").await?.click().await?;
        page.find("//blockquote[starts-with(., 'Simplicity')]").await?;
        page.find("//p[.='Call 2']").await?;
        Ok(())
    })
    .await
}
