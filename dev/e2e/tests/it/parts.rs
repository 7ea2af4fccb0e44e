//! Parts of the page that are modules of their own, loaded when they are needed.

use anyhow::ensure;
use e2e::{ENGLISH, Names, Page, Result, eventually, part, scenario};

const N: &Names = &ENGLISH;

/// The names of the modules that the page has loaded.
async fn loaded_modules(page: &Page) -> Result<Vec<String>> {
    page.run(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)
             .filter((name) => name.endsWith('.wasm')).map((name) => new URL(name).pathname)",
        vec![],
    )
    .await
}

#[tokio::test]
async fn a_part_is_loaded_after_the_page_has_started() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/").await?;
        page.part(&part("form", N.join)).await?;
        let first = loaded_modules(&page).await?;
        ensure!(first[0].starts_with("/page-"), "the program is not loaded first: {first:?}");
        let all = eventually("the parts are loaded", async || {
            let modules = loaded_modules(&page).await?;
            ensure!(modules.iter().any(|name| name.contains("dialogs")), "{modules:?}");
            Ok(modules)
        })
        .await?;
        for name in ["join", "calls"] {
            ensure!(all.iter().any(|module| module.contains(name)), "{name} is not loaded: {all:?}");
        }
        ensure!(!all.iter().any(|name| name.contains("greeter")), "few need the Greeter: {all:?}");
        page.click(&part("link", N.greeter)).await?;
        page.part(&part("form", "SayHello")).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn a_part_that_cannot_be_loaded_can_be_tried_again() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/settings").await?;
        page.allow_failed_requests();
        page.block(&["*greeter*.wasm"]).await?;
        page.open("/greeter").await?;
        page.page_contains("could not be loaded").await?;
        // Everything else works.
        page.part(&part("link", N.chat)).await?;
        page.block(&[]).await?;
        page.click(&part("button", N.try_again)).await?;
        page.part(&part("form", "SayHello")).await?;
        Ok(())
    })
    .await
}
