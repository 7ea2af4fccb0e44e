//! Conversations over WebSockets, while their page and its tabs go through what browsers do with them.

use anyhow::bail;
use e2e::{ENGLISH, Names, Page, Result, part, scenario};

use crate::greeter::{conversation, send_name, shows};

const N: &Names = &ENGLISH;

/// More than a browser opens HTTP/1.1 connections to one host.
const TABS: usize = 8;

/// Begins a conversation in the tab that is acted on.
async fn begin(page: &Page) -> Result {
    page.open("/greeter").await?;
    send_name(page, &conversation(), "Ada").await?;
    shows(page, &conversation(), &["Sent Ada", "Received Hello, Ada!"]).await
}

/// Sends another name, and waits for its greeting.
async fn goes_on(page: &Page) -> Result {
    send_name(page, &conversation(), "Grace").await?;
    let all = ["Sent Ada", "Received Hello, Ada!", "Sent Grace", "Received Hello, Grace!"];
    shows(page, &conversation(), &all).await
}

/// Waits for the end of a conversation that has lost its socket, and begins another.
async fn begins_again(page: &Page) -> Result {
    page.contains_text(&conversation(), "14 UNAVAILABLE").await?;
    send_name(page, &conversation(), "Grace").await?;
    shows(page, &conversation(), &["Sent Grace", "Received Hello, Grace!"]).await
}

#[tokio::test]
async fn eight_tabs_have_a_conversation_each_and_fetch_has_room() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        begin(&page).await?;
        for _ in 1..TABS {
            page.new_tab().await?;
            begin(&page).await?;
        }
        for tab in 0..TABS {
            page.switch_to_tab(tab).await?;
            goes_on(&page).await?;
        }
        let unary = part("form", "SayHello");
        page.click(&part("button", N.say_hello)).await?;
        page.contains_text(&unary, "0 OK").await
    })
    .await
}

#[tokio::test]
async fn a_conversation_goes_on_after_its_tab_was_hidden() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        begin(&page).await?;
        let watch =
            "document.addEventListener('visibilitychange', () => (window.was ??= document.visibilityState))";
        page.run::<()>(watch, vec![]).await?;
        page.new_tab().await?;
        page.switch_to_tab(0).await?;
        goes_on(&page).await?;
        assert_eq!(
            page.run::<Option<String>>("return window.was ?? null", vec![]).await?.as_deref(),
            Some("hidden")
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_frozen_tab_loses_its_socket_and_opens_another() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.allow_failed_requests();
        begin(&page).await?;
        // The browser closes the socket of a tab that it freezes.
        page.set_frozen(true).await?;
        page.set_frozen(false).await?;
        begins_again(&page).await
    })
    .await
}

#[tokio::test]
async fn a_conversation_goes_on_while_somebody_signs_in_and_out_in_another_tab() -> Result {
    scenario(async |world| {
        let page = world.browser("Ada", Default::default()).await?;
        begin(&page).await?;
        page.open_tab("/").await?;
        page.join("Ada").await?;
        page.click(&part("button", N.done)).await?;
        page.delete_cookies().await?;
        page.switch_to_tab(0).await?;
        goes_on(&page).await
    })
    .await
}

#[tokio::test]
async fn a_page_that_was_left_comes_back_and_opens_another_socket() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        begin(&page).await?;
        page.run::<()>("window.isTheSame = true", vec![]).await?;
        // Another document, for which the browser asks for an icon in vain.
        page.allow_failed_requests();
        page.open("/healthz").await?;
        page.back().await?;
        if page.run::<Option<bool>>("return window.isTheSame ?? null", vec![]).await?.is_none() {
            bail!("the browser has not kept the page");
        }
        begins_again(&page).await
    })
    .await
}
