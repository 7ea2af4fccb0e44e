//! The built page in a browser: its worker calls and follows a stream. Needs `trunk build` in `page/`.

use std::path::Path;

use anyhow::Result;

#[tokio::test(flavor = "multi_thread")]
async fn worker_calls_and_the_page_shows_it() -> Result<()> {
    let listener = tonic_serve::listen("127.0.0.1:0".parse()?)?;
    let url = format!("http://{}", listener.local_addr()?);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../page/dist");
    tokio::spawn(server::run(listener, page, std::future::pending()));

    headless::check(&url, async |page| {
        page.find("//h1[.='A sine wave']").await?;
        page.find("//p[@role='status'][.='Live']").await?;
        page.find("//output[@id='count'][number(.) >= 1000]").await?;
        Ok(())
    })
    .await
}
