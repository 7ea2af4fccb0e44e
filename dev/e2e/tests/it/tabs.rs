//! The tabs of one browser: one stream, one sender, one session, the same choices.

use anyhow::ensure;
use e2e::{ENGLISH, Guest, Names, Page, Relay, Result, eventually, part, scenario};

const N: &Names = &ENGLISH;
const TABS: usize = 20;

async fn has_streams(relay: &Relay, wanted: usize) -> Result {
    eventually(&format!("{wanted} streams"), async || {
        let open = relay.streams();
        ensure!(open == wanted, "{open} are open");
        Ok(())
    })
    .await
}

/// Sends a message from elsewhere, and waits until the tab shows it.
async fn hears(page: &Page, guest: &Guest, text: &str) -> Result {
    guest.send("general", text).await?;
    page.shows_stored(text).await
}

#[tokio::test]
async fn twenty_tabs_share_one_stream_and_replace_a_leader() -> Result {
    scenario(async |world| {
        let relay = Relay::start(&world.url())?;
        let guest = Guest::join(&world.url(), "Grace").await?;
        let ada = world.browser("Ada", Default::default()).await?;
        ada.visit(&format!("{}/", relay.url())).await?;
        ada.join("Ada").await?;
        ada.write("from the first").await?;
        ada.shows_stored("from the first").await?;
        for _ in 1..TABS {
            ada.new_tab().await?;
            ada.visit(&format!("{}/", relay.url())).await?;
            ada.shows_stored("from the first").await?;
        }
        has_streams(&relay, 1).await?;
        ada.write("from the last").await?;
        ada.shows_stored("from the last").await?;
        for tab in [0, 7, 19] {
            ada.switch_to_tab(tab).await?;
            hears(&ada, &guest, &format!("to tab {tab}")).await?;
        }

        ada.switch_to_tab(0).await?;
        ada.close_tab().await?;
        ada.switch_to_tab(0).await?;
        hears(&ada, &guest, "after the leader was closed").await?;
        has_streams(&relay, 1).await?;

        // The leader is one of them.
        ada.allow_failed_requests();
        for tab in 0..TABS - 2 {
            ada.switch_to_tab(tab).await?;
            ada.set_frozen(true).await?;
        }
        ada.switch_to_tab(TABS - 2).await?;
        hears(&ada, &guest, "after the leader was frozen").await?;
        for tab in 0..TABS - 2 {
            ada.switch_to_tab(tab).await?;
            ada.set_frozen(false).await?;
        }
        has_streams(&relay, 1).await?;
        let all = [
            "from the first",
            "from the last",
            "to tab 0",
            "to tab 7",
            "to tab 19",
            "after the leader was closed",
            "after the leader was frozen",
        ];
        for tab in 0..TABS - 1 {
            ada.switch_to_tab(tab).await?;
            ada.shows_messages(&all).await?;
            ada.strip_is_empty().await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn session_and_choices_agree_between_tabs() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("hello").await?;
        ada.shows_stored("hello").await?;
        ada.open_tab("/").await?;
        ada.shows_messages(&["hello"]).await?;
        ada.choose("Dark").await?;
        ada.switch_to_tab(0).await?;
        eventually("the other tab's theme", async || {
            let theme: String = ada.run("return document.documentElement.dataset.theme", vec![]).await?;
            ensure!(theme == "dark", "it is {theme}");
            Ok(())
        })
        .await?;

        ada.open_menu().await?;
        ada.click(&part("button", "Sign out")).await?;
        ada.part(&part("form", N.join)).await?;
        ada.switch_to_tab(1).await?;
        ada.part(&part("form", N.join)).await?;
        ada.join("Grace").await?;
        ada.shows_messages(&["hello"]).await?;
        ada.switch_to_tab(0).await?;
        ada.shows_messages(&["hello"]).await?;
        ada.write("from the tab that was signed out").await?;
        ada.shows_stored("from the tab that was signed out").await
    })
    .await
}

#[tokio::test]
async fn the_tabs_of_a_browser_send_a_waiting_message_once() -> Result {
    scenario(async |world| {
        let relay = Relay::start(&world.url())?;
        let ada = world.browser("Ada", Default::default()).await?;
        ada.visit(&format!("{}/", relay.url())).await?;
        ada.join("Ada").await?;
        ada.write("first").await?;
        ada.shows_stored("first").await?;
        for _ in 0..3 {
            ada.new_tab().await?;
            ada.visit(&format!("{}/", relay.url())).await?;
            ada.shows_stored("first").await?;
        }
        has_streams(&relay, 1).await?;
        ada.write("second").await?;
        ada.shows_stored("second").await?;
        assert_eq!(relay.sends(), 2, "one request for each message");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_sixth_tab_without_web_locks_says_so() -> Result {
    scenario(async |world| {
        let ada = world.browser("Ada", Default::default()).await?;
        let source = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })";
        for tab in 1..=6 {
            if tab > 1 {
                ada.new_tab().await?;
            }
            ada.run_before_pages(source).await?;
            ada.open("/").await?;
            match tab {
                1 => {
                    ada.join("Ada").await?;
                    ada.write("hello").await?;
                    ada.shows_stored("hello").await?;
                }
                2..=5 => {
                    ada.shows_messages(&["hello"]).await?;
                    ada.strip_is_empty().await?;
                }
                _ => ada.strip_says("Chinwag is open in six tabs").await?,
            }
        }
        ada.close_tab().await?;
        ada.switch_to_tab(0).await?;
        ada.strip_is_empty().await?;
        ada.write("five are fine").await?;
        ada.shows_stored("five are fine").await
    })
    .await
}

#[tokio::test]
async fn unread_messages_and_language_agree_between_tabs() -> Result {
    scenario(async |world| {
        let guest = Guest::join(&world.url(), "Grace").await?;
        let design = guest.create_room("design").await?;
        let ada = world.person("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        ada.open_tab("/").await?;
        ada.part(&part("textbox", N.message)).await?;
        guest.send(&design, "for everybody").await?;
        for tab in [0, 1] {
            ada.switch_to_tab(tab).await?;
            ada.part(&part("link", &N.room("design", 1))).await?;
        }
        ada.click(&part("link", &N.room("design", 1))).await?;
        ada.shows_stored("for everybody").await?;
        for tab in [1, 0] {
            ada.switch_to_tab(tab).await?;
            ada.part(&part("link", &N.room("design", 0))).await?;
        }

        ada.choose("中文").await?;
        ada.switch_to_tab(1).await?;
        let ada = ada.in_chinese();
        ada.part(&part("textbox", ada.names().message)).await?;
        Ok(())
    })
    .await
}
