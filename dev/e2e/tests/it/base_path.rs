//! A server under a path of its origin: the same page, whose addresses, calls and storage are below the path.

use anyhow::ensure;
use e2e::{ENGLISH, Names, Page, Result, World, eventually, part, scenario};
use serde_json::Value;

use crate::offline::{KEPT_AT, keeps_message, keeps_the_page};

const N: &Names = &ENGLISH;

/// Somebody who has joined under `/chat/`.
async fn person(world: &mut World) -> Result<Page> {
    world.restart_with(&["--base-path=/chat/"])?;
    let ada = world.browser("Ada", Default::default()).await?;
    ada.open("/chat").await?;
    ada.join("Ada").await?;
    ada.click(&part("button", N.done)).await?;
    Ok(ada)
}

async fn has_path(page: &Page, path: &str) -> Result {
    eventually(&format!("the address {path}"), async || {
        let found = page.path().await?;
        ensure!(found == path, "it is {found}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_page_under_a_path_joins_sends_and_keeps_its_addresses_there() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        has_path(&ada, "/chat/room/general").await?;
        ada.write("under a path").await?;
        ada.shows_stored("under a path").await?;
        ada.reload().await?;
        ada.shows_messages(&["under a path"]).await?;
        ada.click(&part("link", N.greeter)).await?;
        has_path(&ada, "/chat/greeter").await?;
        ada.click(&part("link", N.chat)).await?;
        has_path(&ada, "/chat/room/general").await?;
        // The address of a message, opened anew. The room itself is the first event.
        ada.open("/chat/room/general/2").await?;
        ada.shows_messages(&["under a path"]).await?;
        let time: String =
            ada.run("return document.querySelector('.chat-message__time').pathname", vec![]).await?;
        assert_eq!(time, "/chat/room/general/2");
        ada.strip_is_empty().await
    })
    .await
}

#[tokio::test]
async fn the_greeter_calls_and_opens_its_socket_under_a_path() -> Result {
    scenario(async |world| {
        world.restart_with(&["--base-path=/a/b/"])?;
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/a/b/greeter").await?;
        let unary = part("form", "SayHello");
        page.fill(&part("textbox", N.name).within(&unary), "Ada").await?;
        page.click(&part("button", N.say_hello)).await?;
        page.has_text(&part("status", "").within(&unary), "Hello, Ada!").await?;
        let both = part("form", "SayHelloBidiStream");
        page.fill(&part("textbox", N.name).within(&both), "Grace").await?;
        page.click(&part("button", N.send_name).within(&both)).await?;
        page.contains_text(&both, "Hello, Grace!").await
    })
    .await
}

#[tokio::test]
async fn a_page_under_a_path_starts_without_the_server() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        ada.write("before").await?;
        ada.shows_stored("before").await?;
        keeps_the_page(&ada).await?;
        keeps_message(&ada, "before").await?;
        ada.allow_failed_requests();
        world.end_server()?;
        ada.open("/chat/room/general").await?;
        ada.strip_says(KEPT_AT).await?;
        ada.shows_messages(&["before"]).await?;
        world.restart_server()?;
        ada.strip_is_empty().await
    })
    .await
}

#[tokio::test]
async fn names_in_the_browser_are_those_of_the_path() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        ada.write("before").await?;
        ada.shows_stored("before").await?;
        ada.choose(N.dark).await?;
        keeps_the_page(&ada).await?;
        keeps_message(&ada, "before").await?;
        ada.run_async(
            "const done = arguments[arguments.length - 1];
             Promise.all([
                 indexedDB.databases().then((all) => all.map(({ name }) => name)),
                 caches.keys(),
                 navigator.locks.query().then(({ held }) => held.map(({ name }) => name)),
                 navigator.serviceWorker.getRegistration().then(({ scope }) => [new URL(scope).pathname]),
             ]).then((all) => { window.names = all; done(); })",
        )
        .await?;
        let names: Vec<Vec<String>> = ada.run("return window.names", vec![]).await?;
        let [databases, caches, locks, scopes] = &names[..] else { panic!("{names:?}") };
        assert_eq!(databases, &["/chat/chinwag"]);
        assert_eq!(locks, &["/chat/chinwag.stream"]);
        assert_eq!(scopes, &["/chat/"]);
        ensure!(caches.len() == 1 && caches[0].starts_with("chinwag-page:/chat/:"), "{caches:?}");
        let keys: Vec<String> = ada.run("return Object.keys(localStorage)", vec![]).await?;
        ensure!(keys.iter().any(|key| key == "/chat/chinwag.theme"), "{keys:?}");
        ensure!(keys.iter().all(|key| key.starts_with("/chat/chinwag.")), "{keys:?}");
        // The theme is read before the first paint, too.
        let dark: Value = ada.run("return document.documentElement.dataset.theme", vec![]).await?;
        assert_eq!(dark, "dark");
        Ok(())
    })
    .await
}
