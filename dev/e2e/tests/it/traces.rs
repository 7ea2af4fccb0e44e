//! Calls that begin a trace, when the server asks pages for it.

use anyhow::ensure;
use e2e::{ENGLISH, Names, Page, Result, eventually, part, scenario};

use crate::offline::keeps_the_page;

const N: &Names = &ENGLISH;

/// Greets once, and returns the header `traceparent` of that call.
async fn traceparent(page: &Page) -> Result<Option<String>> {
    page.run::<()>(
        "window.sent = [];
         const fetched = window.fetch;
         window.fetch = (...parameters) => {
             const request = new Request(...parameters);
             // Parts of the page are fetched, too.
             if (request.url.endsWith('/SayHello')) window.sent.push(request.headers.get('traceparent'));
             return fetched(...parameters);
         };",
        vec![],
    )
    .await?;
    let card = part("form", "SayHello");
    page.fill(&part("textbox", N.name).within(&card), "Ada").await?;
    page.click(&part("button", N.say_hello)).await?;
    page.has_text(&part("status", "").within(&card), "Hello, Ada!").await?;
    let mut sent: Vec<Option<String>> = page.run("return window.sent", vec![]).await?;
    ensure!(!sent.is_empty(), "no call was seen");
    Ok(sent.remove(0))
}

fn is_traceparent(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [2, 32, 16, 2]
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && (parts[0], parts[3]) == ("00", "01")
}

#[tokio::test]
async fn calls_begin_a_trace_only_when_the_server_asks_for_it() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        ensure!(traceparent(&page).await?.is_none(), "nobody asked for it");

        world.restart_with(&["--trace-pages"])?;
        page.open("/greeter").await?;
        let first = traceparent(&page).await?.unwrap_or_default();
        ensure!(is_traceparent(&first), "{first:?}");
        // Also when the service worker passes the document on.
        keeps_the_page(&page).await?;
        eventually("the worker's control of the page", async || {
            page.reload().await?;
            let is_controlled: bool =
                page.run("return Boolean(navigator.serviceWorker.controller)", vec![]).await?;
            ensure!(is_controlled, "it has none");
            Ok(())
        })
        .await?;
        page.open("/greeter").await?;
        let second = traceparent(&page).await?.unwrap_or_default();
        ensure!(is_traceparent(&second), "{second:?}");
        ensure!(first != second, "both calls have the trace {first}");
        Ok(())
    })
    .await
}
