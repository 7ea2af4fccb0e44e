//! The composer.

use anyhow::bail;
use e2e::{ENGLISH, Names, Page, Part, Result, eventually, keys, part, scenario};

const N: &Names = &ENGLISH;

fn composer() -> Part {
    part("textbox", N.message)
}

/// The composer's content.
async fn held(page: &Page) -> Result<String> {
    page.run("return find(arguments[0].steps)[0].value", vec![serde_json::to_value(composer())?]).await
}

async fn holds(page: &Page, text: &str) -> Result {
    eventually(&format!("the composer to hold {text:?}"), async || {
        page.part(&composer()).await?;
        let held = held(page).await?;
        if held == text { Ok(()) } else { bail!("it holds {held:?}") }
    })
    .await
}

#[tokio::test]
async fn a_draft_survives_a_reload_and_belongs_to_its_room() -> Result {
    scenario(async |world| {
        let guest = e2e::Guest::join(&world.url(), "Grace").await?;
        guest.create_room("Second").await?;
        let ada = world.person("Ada").await?;
        ada.fill(&composer(), "half a thou").await?;
        let second = part("link", "Second");
        ada.click(&second).await?;
        ada.part(&part("log", "Second")).await?;
        holds(&ada, "").await?;
        ada.reload().await?;
        holds(&ada, "").await?;
        ada.click(&part("link", "general").within(&part("navigation", N.rooms))).await?;
        holds(&ada, "half a thou").await?;
        ada.reload().await?;
        holds(&ada, "half a thou").await?;
        ada.click(&composer()).await?;
        ada.press(keys::ENTER).await?;
        holds(&ada, "").await?;
        ada.shows_stored("half a thou").await?;
        ada.reload().await?;
        ada.shows_messages(&["half a thou"]).await?;
        holds(&ada, "").await
    })
    .await
}

#[tokio::test]
async fn shift_and_enter_breaks_the_line_and_enter_sends() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.click(&composer()).await?;
        ada.type_keys("one").await?;
        ada.chord(&[keys::SHIFT, keys::ENTER]).await?;
        ada.type_keys("two").await?;
        holds(&ada, "one\ntwo").await?;
        assert!(ada.messages().await?.is_empty());
        ada.press(keys::ENTER).await?;
        holds(&ada, "").await?;
        ada.shows_stored("one").await?;
        let messages = ada.messages().await?;
        assert!(messages.len() == 1 && messages[0].text.contains("two"), "{messages:?}");
        assert_eq!(ada.focused().await?, ("textbox".to_owned(), N.message.to_owned()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn enter_never_sends_while_an_input_method_composes() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.click(&composer()).await?;
        // The browser's own composition, as an input method starts it.
        let composing = serde_json::json!({ "text": "nihao", "selectionStart": 5, "selectionEnd": 5 });
        ada.devtools("Input.imeSetComposition", composing).await?;
        // Chromium and Firefox report it in isComposing, Safari only by the key code 229.
        let prevented: Vec<bool> = ada
            .run(
                "const field = find(arguments[0].steps)[0];
                 const keys = [{ isComposing: true }, { keyCode: 229, which: 229 }];
                 return keys.map((key) => !field.dispatchEvent(new KeyboardEvent('keydown',
                     { key: 'Enter', code: 'Enter', bubbles: true, cancelable: true, ...key })))",
                vec![serde_json::to_value(composer())?],
            )
            .await?;
        // A prevented key never reaches the input method.
        assert_eq!(prevented, [false, false]);
        ada.insert("你好").await?;
        holds(&ada, "你好").await?;
        ada.press(keys::ENTER).await?;
        ada.shows_stored("你好").await?;
        ada.shows_messages(&["你好"]).await
    })
    .await
}

#[tokio::test]
async fn white_space_alone_is_not_sent() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("   ").await?;
        ada.write("").await?;
        ada.write("something").await?;
        ada.shows_stored("something").await?;
        ada.shows_messages(&["something"]).await
    })
    .await
}

#[tokio::test]
async fn the_length_limit_counts_characters_and_deletes_nothing() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        let grace = world.person("Grace").await?;
        // Characters of two UTF-16 units and four bytes each.
        let longest = "🌍".repeat(4_000);
        ada.write(&longest).await?;
        grace.shows_stored(&longest).await?;
        let too_long = "字".repeat(4_001);
        ada.write(&too_long).await?;
        holds(&ada, &too_long).await?;
        assert_eq!(ada.messages().await?.len(), 1);
        ada.press('\u{e003}').await?;
        ada.press(keys::ENTER).await?;
        grace.shows_stored(&"字".repeat(4_000)).await
    })
    .await
}

#[tokio::test]
async fn a_refused_message_can_be_sent_again_or_discarded() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("fine").await?;
        ada.shows_stored("fine").await?;
        // A field accepts a pasted control character, and the server refuses it.
        ada.write("a bell: \u{7}").await?;
        let article = e2e::any("article").within(&e2e::any("log"));
        refused(&ada, "a bell:").await?;
        // Later messages are not delayed.
        ada.write("fine too").await?;
        ada.shows_stored("fine too").await?;
        ada.click(&part("button", N.try_again).within(&article)).await?;
        refused(&ada, "a bell:").await?;
        // A reload keeps it.
        ada.click(&part("button", N.discard).within(&article)).await?;
        ada.shows_messages(&["fine", "fine too"]).await?;
        ada.reload().await?;
        ada.shows_messages(&["fine", "fine too"]).await
    })
    .await
}

async fn refused(page: &Page, text: &str) -> Result {
    eventually(&format!("{text:?} to be marked as not sent"), async || {
        let messages = page.messages().await?;
        match messages.iter().find(|message| message.text.contains(text)) {
            Some(message) if message.text.contains(N.not_sent) => Ok(()),
            other => bail!("it is {other:?}"),
        }
    })
    .await
}

#[tokio::test]
async fn a_session_ended_in_another_browser_keeps_the_draft() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("first").await?;
        ada.shows_stored("first").await?;
        ada.fill(&composer(), "not yet sent").await?;
        // The page cannot read the cookie, so it does not notice its end.
        ada.devtools("Network.clearBrowserCookies", serde_json::json!({})).await?;
        ada.press(keys::ENTER).await?;
        ada.part(&part("form", N.join)).await?;
        ada.join("Ada again").await?;
        ada.part(&composer()).await?;
        refused(&ada, "not yet sent").await
    })
    .await
}
