//! Starts without the server, from what the browser keeps: the page's files, and a copy of the chat.

use anyhow::ensure;
use e2e::{ENGLISH, Guest, Names, Page, Result, World, eventually, part, scenario};
use serde_json::json;

use crate::reading::UNREAD_LINE;

const N: &Names = &ENGLISH;

/// Says from when the messages are.
pub(crate) const KEPT_AT: &str = "You see what this browser kept at";

/// Waits until the browser keeps the page.
pub(crate) async fn keeps_the_page(page: &Page) -> Result {
    eventually("the service worker", async || {
        let look =
            "navigator.serviceWorker.getRegistration().then((own) => { window.active = own?.active?.state });
             return window.active ?? ''";
        let state: String = page.run(look, vec![]).await?;
        ensure!(state == "activated", "its state is {state:?}");
        Ok(())
    })
    .await
}

/// Waits until the copy has a message.
pub(crate) async fn keeps_message(page: &Page, text: &str) -> Result {
    eventually("the copy of the chat", async || {
        let copy = page.kept_chat().await?;
        ensure!(copy.iter().any(|entry| entry.contains(text)), "it lacks {text:?}");
        Ok(())
    })
    .await
}

async fn keeps_nothing(page: &Page) -> Result {
    eventually("the end of the copy of the chat", async || {
        ensure!(page.kept_chat().await?.is_empty(), "it is there");
        Ok(())
    })
    .await
}

/// Somebody whose browser keeps the page, and the message "before".
async fn person(world: &mut World) -> Result<Page> {
    let ada = world.person("Ada").await?;
    ada.write("before").await?;
    ada.shows_stored("before").await?;
    keeps_the_page(&ada).await?;
    keeps_message(&ada, "before").await?;
    ada.allow_failed_requests();
    Ok(ada)
}

#[tokio::test]
async fn a_start_without_the_server_shows_the_rooms_and_sends_later() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        world.end_server()?;
        ada.open("/").await?;
        ada.strip_says(KEPT_AT).await?;
        ada.part(&part("link", "general")).await?;
        ada.shows_messages(&["before"]).await?;
        ada.write("written without the server").await?;
        ada.shows_messages(&["before", "written without the server"]).await?;
        ada.page_contains(N.waiting).await?;
        // The stream goes on from the copy: what is drawn stays.
        ada.run::<()>("document.querySelector('.chat-log').isMarked = true", vec![]).await?;

        world.restart_server()?;
        ada.shows_stored("written without the server").await?;
        ada.strip_is_empty().await?;
        ada.shows_messages(&["before", "written without the server"]).await?;
        let is_same: bool =
            ada.run("return document.querySelector('.chat-log').isMarked ?? false", vec![]).await?;
        ensure!(is_same, "the room was drawn anew");
        ada.reload().await?;
        ada.shows_messages(&["before", "written without the server"]).await
    })
    .await
}

#[tokio::test]
async fn a_silent_server_does_not_stop_a_start() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        world.pause_server()?;
        ada.open("/room/general").await?;
        ada.shows_messages(&["before"]).await?;
        ada.strip_says(KEPT_AT).await?;
        world.resume_server()?;
        ada.strip_is_empty().await?;
        ada.write("after").await?;
        ada.shows_stored("after").await?;
        ada.shows_messages(&["before", "after"]).await
    })
    .await
}

#[tokio::test]
async fn a_start_from_the_copy_leads_to_what_is_new() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        ada.visit("about:blank").await?;
        let grace = Guest::join(&world.url(), "Grace").await?;
        for number in 1..=40 {
            grace.send("general", &format!("message {number}.")).await?;
        }
        world.pause_server()?;
        ada.open("/room/general").await?;
        ada.shows_messages(&["before"]).await?;
        world.resume_server()?;
        ada.page_contains(UNREAD_LINE).await?;
        ada.shows_in_view("message 1.").await
    })
    .await
}

#[tokio::test]
async fn the_copy_of_the_chat_ends_with_the_session() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        ada.open_menu().await?;
        ada.click(&part("button", "Sign out")).await?;
        ada.part(&part("form", N.join)).await?;
        keeps_nothing(&ada).await?;

        // A session that ended elsewhere, while the page was closed.
        ada.join("Grace").await?;
        ada.click(&part("button", N.done)).await?;
        ada.write("by another person").await?;
        keeps_message(&ada, "by another person").await?;
        ada.visit("about:blank").await?;
        ada.devtools("Network.clearBrowserCookies", json!({})).await?;
        ada.open("/").await?;
        ada.part(&part("form", N.join)).await?;
        keeps_nothing(&ada).await?;

        world.end_server()?;
        ada.open("/").await?;
        ada.part(&part("button", "Try now")).await?;
        ensure!(!ada.all_text().await?.contains("by another person"), "the copy is shown");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_damaged_copy_of_the_page_does_not_stop_a_start() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        for damage in [
            "cache.delete(request)",
            "cache.put(request, new Response('damaged', { headers: { 'content-type': 'application/wasm' } }))",
        ] {
            keeps_the_page(&ada).await?;
            let script = format!(
                "const done = arguments[arguments.length - 1];
                 caches.keys().then(async (names) => {{
                     const cache = await caches.open(names.at(-1));
                     for (const request of await cache.keys()) {{
                         if (/page-.*wasm/.test(request.url)) await {damage};
                     }}
                     done();
                 }})"
            );
            ada.run_async(&script).await?;
            ada.open("/").await?;
            ada.shows_messages(&["before"]).await?;
            ada.strip_is_empty().await?;
        }
        // The program that could not be read.
        ada.errors().await?;
        Ok(())
    })
    .await
}
