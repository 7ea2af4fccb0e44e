//! The composer.

use anyhow::bail;
use e2e::{ENGLISH, Names, Page, Part, Result, eventually, keys, part, scenario};

const N: &Names = &ENGLISH;

fn composer() -> Part {
    part("textbox", N.message)
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
        ada.composer_holds("").await?;
        ada.reload().await?;
        ada.composer_holds("").await?;
        ada.click(&part("link", "general").within(&part("navigation", N.rooms))).await?;
        ada.composer_holds("half a thou").await?;
        ada.reload().await?;
        ada.composer_holds("half a thou").await?;
        ada.click(&composer()).await?;
        ada.press(keys::ENTER).await?;
        ada.composer_holds("").await?;
        ada.shows_stored("half a thou").await?;
        ada.reload().await?;
        ada.shows_messages(&["half a thou"]).await?;
        ada.composer_holds("").await
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
        ada.composer_holds("one\ntwo").await?;
        assert!(ada.messages().await?.is_empty());
        ada.press(keys::ENTER).await?;
        ada.composer_holds("").await?;
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
        ada.composer_holds("你好").await?;
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
        ada.composer_holds(&too_long).await?;
        assert_eq!(ada.messages().await?.len(), 1);
        ada.press('\u{e003}').await?;
        ada.press(keys::ENTER).await?;
        grace.shows_stored(&"字".repeat(4_000)).await
    })
    .await
}

/// Lets the server refuse the messages that have the text `a bell:`, as the page sees it.
const REFUSE: &str = "
    const real = window.fetch;
    const answer = { 'content-type': 'application/grpc-web+proto', 'grpc-status': '3', 'grpc-message': 'refused' };
    window.fetch = async (request, init) => {
        const isSend = String(request.url ?? request).endsWith('/SendMessage');
        const sent = isSend && (request.clone ? await request.clone().text() : new TextDecoder().decode(init.body));
        return isSend && sent.includes('a bell:') ? new Response(null, { headers: answer }) : real(request, init);
    };";

#[tokio::test]
async fn a_refused_message_can_be_sent_again_or_discarded() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("fine").await?;
        ada.shows_stored("fine").await?;
        ada.run::<()>(REFUSE, vec![]).await?;
        ada.write("a bell:").await?;
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

#[tokio::test]
async fn control_characters_of_slides_and_terminals_are_not_sent() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("one\u{b}two\u{1b}[31m\u{2028}three\u{7}").await?;
        ada.shows_stored("three").await?;
        let history = e2e::Guest::join(&world.url(), "Grace").await?.history("general").await?;
        assert_eq!(history[0].2, "one\ntwo[31m\nthree");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn enter_breaks_the_line_where_the_pointer_is_coarse() -> Result {
    scenario(async |world| {
        let ada = world.browser("Ada", e2e::Browser::default()).await?;
        let touch = serde_json::json!({ "enabled": true, "maxTouchPoints": 1 });
        ada.devtools("Emulation.setTouchEmulationEnabled", touch).await?;
        ada.devtools(
            "Emulation.setDeviceMetricsOverride",
            serde_json::json!({ "width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": true }),
        )
        .await?;
        ada.open("/").await?;
        ada.join("Ada").await?;
        ada.click(&composer()).await?;
        assert!(ada.run::<bool>("return matchMedia('(pointer: coarse)').matches", vec![]).await?);
        ada.type_keys("one").await?;
        ada.press(keys::ENTER).await?;
        ada.type_keys("two").await?;
        ada.composer_holds("one\ntwo").await?;
        ada.chord(&[keys::CONTROL, keys::ENTER]).await?;
        ada.composer_holds("").await?;
        ada.shows_stored("one two").await
    })
    .await
}

#[tokio::test]
async fn control_and_enter_sends() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.click(&composer()).await?;
        ada.type_keys("one").await?;
        ada.chord(&[keys::CONTROL, keys::ENTER]).await?;
        ada.shows_stored("one").await
    })
    .await
}

#[tokio::test]
async fn typing_in_the_list_goes_to_the_composer_and_escape_to_the_latest() -> Result {
    scenario(async |world| {
        let grace = e2e::Guest::join(&world.url(), "Grace").await?;
        for number in 1..=60 {
            grace.send("general", &format!("message {number}.")).await?;
        }
        let ada = world.person("Ada").await?;
        ada.page_contains("message 60.").await?;
        ada.click(&composer()).await?;
        ada.chord(&[keys::SHIFT, keys::TAB]).await?;
        ada.press(keys::HOME).await?;
        let latest = e2e::beginning("button", N.latest);
        ada.part(&latest).await?;
        ada.type_keys("hello").await?;
        ada.composer_holds("hello").await?;
        assert_eq!(ada.focused().await?, ("textbox".to_owned(), N.message.to_owned()));
        ada.part(&latest).await?;
        ada.press(keys::ESCAPE).await?;
        ada.gone(&latest).await?;
        ada.composer_holds("hello").await?;
        assert_eq!(ada.focused().await?, ("textbox".to_owned(), N.message.to_owned()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn files_are_refused_with_a_sentence() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.click(&composer()).await?;
        for event in ["new DragEvent('drop', options)", "new ClipboardEvent('paste', options)"] {
            let prevented: bool = ada
                .run(
                    &format!(
                        "const data = new DataTransfer();
                         data.items.add(new File(['x'], 'x.png', {{ type: 'image/png' }}));
                         const options =
                             {{ dataTransfer: data, clipboardData: data, bubbles: true, cancelable: true }};
                         return !document.activeElement.dispatchEvent({event})"
                    ),
                    vec![],
                )
                .await?;
            assert!(prevented, "{event} is left to the browser");
            ada.page_contains("Files and pictures cannot be sent yet").await?;
            ada.insert("text").await?;
            eventually("the end of the sentence", async || {
                let text = ada.all_text().await?;
                if text.contains("Files and pictures") { bail!("it is still there") } else { Ok(()) }
            })
            .await?;
        }
        // Files beside the text, as a spreadsheet offers them.
        let prevented: bool = ada
            .run(
                "const data = new DataTransfer();
                 data.setData('text/plain', 'cells');
                 data.items.add(new File(['x'], 'x.png', { type: 'image/png' }));
                 const options = { clipboardData: data, bubbles: true, cancelable: true };
                 return !document.activeElement.dispatchEvent(new ClipboardEvent('paste', options))",
                vec![],
            )
            .await?;
        assert!(!prevented, "the text of a spreadsheet is not pasted");
        Ok(())
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
        ada.delete_cookies().await?;
        ada.press(keys::ENTER).await?;
        ada.part(&part("form", N.join)).await?;
        ada.join("Ada again").await?;
        ada.part(&composer()).await?;
        refused(&ada, "not yet sent").await
    })
    .await
}
