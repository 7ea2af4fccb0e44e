//! Messages: faces, actions, days, the composer's button, and an empty room.

use anyhow::bail;
use e2e::{ENGLISH, Guest, Names, Page, Result, eventually, keys, part, scenario};
use serde_json::{Value, json};

const N: &Names = &ENGLISH;

/// The middle of the beginning of the message with this text, in the view.
async fn place_of(page: &Page, text: &str) -> Result<(f64, f64)> {
    page.run(
        "const article = find([{ role: 'article', name: null }]).find((one) => one.textContent.includes(arguments[0]));
         const { x, y, width, height } = article.getBoundingClientRect();
         return [x + Math.min(width, 40) / 2, y + height / 2]",
        vec![json!(text)],
    )
    .await
}

/// Moves the pointer over the message with this text.
async fn point_at(page: &Page, text: &str) -> Result {
    let (x, y) = place_of(page, text).await?;
    page.devtools("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": x, "y": y })).await?;
    Ok(())
}

/// Notes copied texts in `window.copied`.
const NOTE_COPIES: &str =
    "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }";

async fn copied(page: &Page, wanted: &str) -> Result {
    eventually(&format!("{wanted:?} to be copied"), async || {
        match page.run::<Value>("return window.copied ?? null", vec![]).await? {
            Value::String(text) if text == wanted => Ok(()),
            other => bail!("copied is {other}"),
        }
    })
    .await
}

#[tokio::test]
async fn the_pointer_shows_actions_that_copy_and_quote() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        let seq = grace.send("general", "one\n\ntwo").await?;
        grace.send("general", "another").await?;
        let page = world.person("Ada").await?;
        page.page_contains("another").await?;
        page.run::<()>(NOTE_COPIES, vec![]).await?;
        page.gone(&part("button", "Copy link")).await?;
        point_at(&page, "two").await?;
        page.click(&part("button", "Copy text")).await?;
        copied(&page, "one\n\ntwo").await?;
        page.click(&part("button", "Copy link")).await?;
        copied(&page, &format!("{}/room/general/{seq}", world.url())).await?;
        page.click(&part("button", "Quote")).await?;
        let (text, focused): (String, bool) = page
            .run(
                "const field = document.querySelector('textarea'); return [field.value, field === document.activeElement]",
                vec![],
            )
            .await?;
        assert_eq!((text.as_str(), focused), ("> one\n>\n> two\n\n", true));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_tap_shows_the_actions_of_a_message() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        grace.send("general", "only").await?;
        let page = world.person("Ada").await?;
        page.page_contains("only").await?;
        page.gone(&part("button", "Quote")).await?;
        let touch = json!({ "enabled": true, "maxTouchPoints": 1 });
        page.devtools("Emulation.setTouchEmulationEnabled", touch).await?;
        let (x, y) = place_of(&page, "only").await?;
        for (kind, points) in [("touchStart", json!([{ "x": x, "y": y }])), ("touchEnd", json!([]))] {
            let touch = json!({ "type": kind, "touchPoints": points });
            page.devtools("Input.dispatchTouchEvent", touch).await?;
        }
        page.click(&part("button", "Quote")).await?;
        page.composer_holds("> only\n\n").await
    })
    .await
}

#[tokio::test]
async fn the_keyboard_reaches_the_actions_of_a_message() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        grace.send("general", "only").await?;
        let page = world.person("Ada").await?;
        page.page_contains("only").await?;
        page.run::<()>("find([{ role: 'log', name: null }])[0].focus()", vec![]).await?;
        page.press(keys::ARROW_UP).await?;
        assert_eq!(page.focused().await?.0, "article");
        page.press(keys::TAB).await?;
        assert_eq!(page.focused().await?, ("button".to_owned(), "Copy link".to_owned()));
        page.press(keys::TAB).await?;
        page.press(keys::ENTER).await?;
        page.composer_holds("> only\n\n").await?;
        // Back from the composer, which has the focus now.
        page.chord(&[keys::SHIFT, keys::TAB]).await?;
        assert_eq!(page.focused().await?, ("button".to_owned(), "Copy text".to_owned()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn each_group_has_a_face_in_the_gutter_and_its_time_beside_the_name() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace Hopper").await?;
        grace.send("general", "first").await?;
        grace.send("general", "second").await?;
        let page = world.person("Ada").await?;
        page.page_contains("second").await?;
        let (faces, size, beside, left): (Vec<String>, f64, bool, bool) = page
            .run(
                "const faces = [...document.querySelectorAll('.chat-log .face')];
                 const [face, author, time, article] = ['.face', '.chat-message__author', '.chat-message__time', 'article']
                     .map((part) => document.querySelector(`.chat-message[data-head] ${part}`).getBoundingClientRect());
                 return [faces.map((one) => one.dataset.initials), face.width,
                     time.left >= author.right && time.top < author.bottom, face.right < article.left]",
                vec![],
            )
            .await?;
        assert_eq!((faces.as_slice(), size), (["GH".to_owned()].as_slice(), 32.0));
        assert!(beside && left);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_day_is_an_opaque_strip_over_the_whole_list() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.write("today").await?;
        page.shows_stored("today").await?;
        let (ground, narrower): (String, f64) = page
            .run(
                "const day = document.querySelector('.chat-day h2');
                 const message = document.querySelector('.chat-message');
                 return [getComputedStyle(day).backgroundColor, message.offsetWidth - day.offsetWidth]",
                vec![],
            )
            .await?;
        assert!(ground.starts_with("rgb(") && narrower <= 0.0, "{ground}, {narrower} pixels narrower");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_line_has_about_sixty_letters() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.write(&"All the words that people write here are read in lines of a good length. ".repeat(12))
            .await?;
        page.shows_stored("All the words").await?;
        let letters: f64 = page
            .run(
                "const text = document.querySelector('.chat-log article p').firstChild;
                 const range = document.createRange();
                 range.selectNodeContents(text);
                 return text.length / new Set([...range.getClientRects()].map((line) => line.top)).size",
                vec![],
            )
            .await?;
        assert!((52.0..70.0).contains(&letters), "a line has {letters} letters");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn send_is_quiet_while_nothing_is_written() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.part(&part("textbox", N.message)).await?;
        let ground = "return getComputedStyle(find([{ role: 'button', name: 'Send' }])[0]).backgroundColor";
        page.settled().await?;
        assert_eq!(page.run::<String>(ground, vec![]).await?, "rgba(0, 0, 0, 0)");
        page.fill(&part("textbox", N.message), "something").await?;
        page.settled().await?;
        assert!(page.run::<String>(ground, vec![]).await?.starts_with("rgb("));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_clock_of_a_waiting_message_follows_its_last_word() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.part(&part("textbox", N.message)).await?;
        page.allow_failed_requests();
        page.set_offline(true).await?;
        page.write("short").await?;
        page.page_contains(N.waiting).await?;
        let display: String = page
            .run(
                "const text = document.querySelector('[data-state=waiting] article > p');
                 const clock = getComputedStyle(text, '::after');
                 return `${clock.content} ${clock.display}`",
                vec![],
            )
            .await?;
        assert_eq!(display, "\"\" inline-block");
        page.set_offline(false).await?;
        page.shows_stored("short").await
    })
    .await
}

#[tokio::test]
async fn an_empty_room_names_its_creator_and_offers_its_link() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        let room = grace.create_room("design").await?;
        let page = world.person("Ada").await?;
        page.part(&part("textbox", N.message)).await?;
        page.open(&format!("/room/{room}")).await?;
        page.page_contains("Grace created #design on ").await?;
        page.run::<()>(NOTE_COPIES, vec![]).await?;
        page.click(&part("button", "Copy link")).await?;
        copied(&page, &format!("{}/room/{room}", world.url())).await?;
        page.write("first").await?;
        page.shows_stored("first").await?;
        page.gone(&part("button", "Copied")).await
    })
    .await
}
