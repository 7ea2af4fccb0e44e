//! Reading: the focus in the message list, unread messages, addresses of messages, the reader's place.

use anyhow::{Context as _, bail};
use e2e::{
    ENGLISH, Guest, Names, Page, Part, Result, World, any, beginning, eventually, keys, part, scenario,
};

const N: &Names = &ENGLISH;

pub(crate) const UNREAD_LINE: &str = "New messages";

fn link(room: &str, unread: u32) -> Part {
    part("link", &N.room(room, unread)).within(&part("navigation", N.rooms))
}

/// Sends `count` messages, each with a link, to `general`.
async fn fill_room(world: &World, count: usize) -> Result<Guest> {
    let guest = Guest::join(&world.url(), "Grace").await?;
    for number in 1..=count {
        guest.send("general", &format!("message {number}. https://example.org/{number}")).await?;
    }
    Ok(guest)
}

async fn shows_last(page: &Page, text: &str) -> Result {
    eventually(&format!("{text:?} as the last message"), async || match page.messages().await?.last() {
        Some(last) if last.text.contains(text) => Ok(()),
        last => bail!("the last is {last:?}"),
    })
    .await
}

/// The text of the focused message, which has to be in view; an error where something else has the focus.
async fn focused_message(page: &Page) -> Result<String> {
    let (tag, text, is_in_view): (String, String, bool) = page
        .run(
            "const focused = document.activeElement;
             const log = find([{ role: 'log', name: null }])[0].getBoundingClientRect();
             const place = focused.getBoundingClientRect();
             return [focused.tagName, tidy(focused.textContent), place.top >= log.top - 1 && place.bottom <= log.bottom + 1]",
            vec![],
        )
        .await?;
    if tag != "ARTICLE" {
        bail!("{tag} has the focus");
    }
    if is_in_view { Ok(text) } else { bail!("{text:?} has the focus outside of the view") }
}

async fn focuses(page: &Page, text: &str) -> Result {
    eventually(&format!("the focus on {text:?}"), async || {
        let focused = focused_message(page).await?;
        if focused.contains(text) { Ok(()) } else { bail!("it is on {focused:?}") }
    })
    .await
}

async fn focus_is_kept(page: &Page, after: &str) -> Result {
    eventually(&format!("a focus after {after}"), async || {
        let tag: String = page.run("return document.activeElement.tagName", vec![]).await?;
        if tag == "BODY" { bail!("it fell to the document") } else { Ok(()) }
    })
    .await
}

#[tokio::test]
async fn the_message_list_is_one_tab_stop_and_keys_move_between_messages() -> Result {
    scenario(async |world| {
        fill_room(world, 200).await?;
        let ada = world.person("Ada").await?;
        shows_last(&ada, "message 200.").await?;
        ada.click(&part("textbox", N.message)).await?;
        ada.chord(&[keys::SHIFT, keys::TAB]).await?;
        assert_eq!(ada.focused().await?, ("log".to_owned(), "general".to_owned()));
        ada.press(keys::ARROW_UP).await?;
        focuses(&ada, "message 200.").await?;
        for number in (100..200).rev() {
            ada.press(keys::ARROW_UP).await?;
            focuses(&ada, &format!("message {number}.")).await?;
        }
        ada.press(keys::TAB).await?;
        let focused = ada.focused().await?;
        assert_eq!(focused, ("link".to_owned(), "https://example.org/100".to_owned()));
        ada.press(keys::ARROW_DOWN).await?;
        focuses(&ada, "message 101.").await?;
        ada.press(keys::PAGE_DOWN).await?;
        let text = focused_message(&ada).await?;
        assert!(!text.contains("message 101.") && !text.contains("message 102."), "{text}");
        ada.press(keys::END).await?;
        focuses(&ada, "message 200.").await?;
        ada.press(keys::HOME).await?;
        focuses(&ada, "message 1.").await?;
        ada.press(keys::ARROW_UP).await?;
        focuses(&ada, "message 1.").await?;
        // Its link and its actions, and out of the list to the button to the latest.
        let mut inside = Vec::new();
        loop {
            ada.press(keys::TAB).await?;
            let focused = ada.focused().await?;
            if focused.1.starts_with(N.latest) {
                break;
            }
            inside.push(focused.1);
            assert!(inside.len() < 6, "{inside:?}");
        }
        assert_eq!(inside[0], "https://example.org/1");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_message_with_the_focus_stays_while_others_arrive() -> Result {
    scenario(async |world| {
        let grace = fill_room(world, 30).await?;
        let ada = world.person("Ada").await?;
        shows_last(&ada, "message 30.").await?;
        ada.click(&part("textbox", N.message)).await?;
        ada.chord(&[keys::SHIFT, keys::TAB]).await?;
        ada.press(keys::ARROW_UP).await?;
        focuses(&ada, "message 30.").await?;
        ada.run::<()>("window.before = document.activeElement", vec![]).await?;
        let texts: Vec<String> = (1..=500).map(|number| format!("later {number}.")).collect();
        grace.send_all("general", &texts).await?;
        grace.send("general", "the very last").await?;
        eventually("the newest message", async || {
            let texts = ada.messages().await?;
            if texts.iter().any(|message| message.text == "the very last") {
                Ok(())
            } else {
                bail!("not yet")
            }
        })
        .await?;
        let stays: bool = ada
            .run("return window.before.isConnected && document.activeElement === window.before", vec![])
            .await?;
        assert!(stays, "the focused message was removed");
        Ok(())
    })
    .await
}

/// Lets the server refuse every message, as the page sees it.
const REFUSE: &str = "
    const real = window.fetch;
    window.accept = () => { window.fetch = real; };
    window.fetch = (request, init) => String(request.url ?? request).endsWith('/SendMessage')
        ? Promise.resolve(new Response(null, { headers: {
              'content-type': 'application/grpc-web+proto', 'grpc-status': '3', 'grpc-message': 'refused' } }))
        : real.call(window, request, init);";

#[tokio::test]
async fn the_focus_never_falls_to_the_document() -> Result {
    scenario(async |world| {
        fill_room(world, 100).await?;
        let ada = world.person("Ada").await?;
        shows_last(&ada, "message 100.").await?;
        ada.click(&part("textbox", N.message)).await?;
        ada.chord(&[keys::SHIFT, keys::TAB]).await?;
        ada.press(keys::HOME).await?;
        focuses(&ada, "message 1.").await?;
        ada.click(&beginning("button", N.latest)).await?;
        ada.gone(&beginning("button", N.latest)).await?;
        focus_is_kept(&ada, "the jump to the latest message").await?;

        ada.run::<()>(REFUSE, vec![]).await?;
        ada.write("refused").await?;
        let article = any("article").within(&any("log"));
        ada.click(&part("button", N.discard).within(&article)).await?;
        ada.gone(&part("button", N.discard)).await?;
        focus_is_kept(&ada, "discarding a message").await?;
        ada.write("refused").await?;
        ada.part(&part("button", N.try_again).within(&article)).await?;
        ada.run::<()>("window.accept()", vec![]).await?;
        ada.click(&part("button", N.try_again).within(&article)).await?;
        ada.gone(&part("button", N.try_again)).await?;
        focus_is_kept(&ada, "trying again").await?;

        ada.open("/greeter").await?;
        ada.click(&part("button", N.start)).await?;
        ada.click(&part("button", N.cancel)).await?;
        ada.gone(&part("button", N.cancel)).await?;
        let focused = ada.focused().await?;
        assert_eq!(focused, ("button".to_owned(), N.start.to_owned()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_message_that_was_not_sent_is_announced_and_can_be_edited() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        ada.run::<()>(REFUSE, vec![]).await?;
        ada.write("one **two**").await?;
        eventually("the announcement", async || {
            let said: String =
                ada.run("return document.querySelector('[data-announcer]').textContent", vec![]).await?;
            if said.contains("Not sent: one **two**") { Ok(()) } else { bail!("{said:?} was said") }
        })
        .await?;
        ada.fill(&part("textbox", N.message), "a draft").await?;
        ada.click(&part("button", "Edit").within(&any("article"))).await?;
        ada.shows_messages(&[] as &[&str]).await?;
        let held: String = ada.run("return document.activeElement.value", vec![]).await?;
        assert_eq!(held, "one **two**\na draft");
        ada.run::<()>("window.accept()", vec![]).await?;
        ada.press(keys::ENTER).await?;
        ada.shows_stored("one two").await
    })
    .await
}

#[tokio::test]
async fn many_unread_messages_stay_unread_until_they_were_in_view() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        grace.create_room("Second").await?;
        let ada = world.person("Ada").await?;
        ada.click(&link("Second", 0)).await?;
        ada.part(&part("log", "Second")).await?;
        for number in 1..=100 {
            grace.send("general", &format!("message {number}.")).await?;
        }
        ada.click(&link("general", 100)).await?;
        shows_last(&ada, "message 100.").await?;
        ada.part(&link("general", 100)).await?;
        ada.click(&part("button", "Go to the first of 100 unread messages")).await?;
        ada.page_contains(UNREAD_LINE).await?;
        ada.shows_in_view("message 1.").await?;
        // Only what was in view is read now.
        eventually("fewer unread messages", async || {
            let names: Vec<String> = ada
                .run("return find([{ role: 'link', name: 'general', prefix: true }]).map(name)", vec![])
                .await?;
            let unread =
                names.iter().filter_map(|name| name.strip_prefix("general, ")?.strip_suffix(" unread"));
            let unread: Vec<u32> = unread.filter_map(|unread| unread.parse().ok()).collect();
            if matches!(unread[..], [1..=95]) { Ok(()) } else { bail!("the links are {names:?}") }
        })
        .await?;
        ada.click(&beginning("button", N.latest)).await?;
        shows_last(&ada, "message 100.").await?;
        ada.click(&part("button", "Mark as read")).await?;
        ada.part(&link("general", 0)).await?;
        ada.gone(&part("button", "Mark as read")).await?;
        focus_is_kept(&ada, "marking as read").await
    })
    .await
}

#[tokio::test]
async fn a_window_without_focus_marks_nothing_as_read() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        let ada = world.person("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        ada.run::<()>("document.hasFocus = () => false", vec![]).await?;
        grace.send("general", "something new").await?;
        ada.shows_messages(&["something new"]).await?;
        ada.part(&link("general", 1)).await?;
        eventually("the count in the title", async || {
            let title = ada.title().await?;
            if title.starts_with("(1) ") { Ok(()) } else { bail!("it is {title:?}") }
        })
        .await?;
        ada.run::<()>("delete document.hasFocus; dispatchEvent(new Event('focus'))", vec![]).await?;
        ada.part(&link("general", 0)).await?;
        ada.page_contains(UNREAD_LINE).await
    })
    .await
}

#[tokio::test]
async fn a_room_made_after_joining_has_the_unread_line() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        let ada = world.person("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        let room = grace.create_room("Later").await?;
        grace.send(&room, "first").await?;
        grace.send(&room, "second").await?;
        ada.click(&link("Later", 2)).await?;
        ada.shows_messages(&["first", "second"]).await?;
        ada.page_contains(UNREAD_LINE).await?;
        ada.part(&link("Later", 0)).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_address_without_its_message_says_so_and_leads_to_the_latest() -> Result {
    scenario(async |world| {
        fill_room(world, 3).await?;
        let ada = world.person("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        for missing in ["99999", "0", "99999999999999999999"] {
            ada.open(&format!("/room/general/{missing}")).await?;
            ada.page_contains("There is no message at this address.").await?;
            shows_last(&ada, "message 3.").await?;
            let text = ada.all_text().await?;
            assert!(!text.contains("Loading"), "{text}");
            ada.click(&part("button", N.latest)).await?;
            ada.gone(&part("button", N.latest)).await?;
            assert_eq!(ada.path().await?, "/room/general");
            focus_is_kept(&ada, "leaving the address").await?;
        }
        Ok(())
    })
    .await
}

/// The first message whose row is whole in view, and the place of the row in the window.
async fn first_in_view(page: &Page) -> Result<(String, f64)> {
    page.run(
        "const top = find([{ role: 'log', name: null }])[0].getBoundingClientRect().top;
         const place = (row) => row.getBoundingClientRect().top;
         const row = [...document.querySelectorAll('[data-anchor]')].find((row) => place(row) >= top);
         return [row.querySelector('article').textContent, place(row)]",
        vec![],
    )
    .await
}

async fn keeps_place(page: &Page, before: &(String, f64)) -> Result {
    eventually("the reader's place", async || {
        let place: Option<f64> = page
            .run(
                "const rows = [...document.querySelectorAll('[data-anchor]')];
                 const row = rows.find((row) => row.querySelector('article').textContent === arguments[0]);
                 return row ? row.getBoundingClientRect().top : null",
                vec![before.0.clone().into()],
            )
            .await?;
        let moved = place.context("it is gone")? - before.1;
        if moved.abs() <= 2.0 { Ok(()) } else { bail!("{:?} moved by {moved}", before.0) }
    })
    .await
}

#[tokio::test]
async fn the_readers_place_survives_widths_languages_and_other_rooms() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        grace.create_room("Second").await?;
        for number in 1..=150 {
            let words = "words that break at other places when the width changes ".repeat(number % 5 + 1);
            grace.send("general", &format!("message {number}. {words}")).await?;
        }
        let ada = world.person("Ada").await?;
        shows_last(&ada, "message 150.").await?;
        ada.run::<()>(
            "const log = find([{ role: 'log', name: null }])[0];
             log.dispatchEvent(new WheelEvent('wheel', { deltaY: -2500, bubbles: true }));
             log.scrollTop -= 2500",
            vec![],
        )
        .await?;
        ada.part(&beginning("button", N.latest)).await?;
        ada.settled().await?;
        let before = first_in_view(&ada).await?;
        for (width, height) in [(900, 900), (400, 700), (1280, 800)] {
            ada.resize(width, height).await?;
            keeps_place(&ada, &before).await?;
        }
        ada.click(&link("Second", 0)).await?;
        ada.part(&part("log", "Second")).await?;
        ada.click(&link("general", 0)).await?;
        keeps_place(&ada, &before).await?;
        ada.choose("中文").await?;
        keeps_place(&ada, &before).await
    })
    .await
}

#[tokio::test]
async fn a_copied_selection_leaves_out_hidden_times() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        for text in ["one", "two", "three"] {
            grace.send("general", text).await?;
        }
        let ada = world.person("Ada").await?;
        shows_last(&ada, "three").await?;
        let copied: String = ada
            .run(
                "const log = find([{ role: 'log', name: null }])[0];
                 getSelection().selectAllChildren(log);
                 return getSelection().toString()",
                vec![],
            )
            .await?;
        let times = copied.split_whitespace().filter(|word| word.contains(':')).count();
        assert!(times <= 1 && copied.contains("two") && copied.contains("three"), "{copied:?}");
        Ok(())
    })
    .await
}
