//! The frame around the conversation: its bar, the room's header, the list of rooms, and little space.

use anyhow::bail;
use e2e::{Browser, ENGLISH, Guest, Names, Page, Result, any, beginning, eventually, keys, part, scenario};
use serde_json::json;

const N: &Names = &ENGLISH;

/// A number that a script computes.
async fn number(page: &Page, script: &str) -> Result<f64> {
    page.run(&format!("return {script}"), vec![]).await
}

#[tokio::test]
async fn a_room_has_a_header_with_its_name_and_creation() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        let design = grace.create_room("design").await?;
        let page = world.person("Ada").await?;
        // The beginning of the conversation has one too.
        page.part_of(&part("heading", "general"), 0).await?;
        page.page_contains("Created on ").await?;
        page.open(&format!("/room/{design}")).await?;
        page.part_of(&part("heading", "design"), 0).await?;
        page.page_contains("Created by Grace on ").await?;
        let height = number(&page, "document.querySelector('.chat-room__head').offsetHeight").await?;
        assert_eq!(height, 48.0);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn calls_are_in_the_menu_and_the_focus_returns_there() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.part(&part("textbox", N.message)).await?;
        page.gone(&part("button", N.calls)).await?;
        page.open_menu().await?;
        page.click(&part("button", N.calls)).await?;
        let panel = part("region", N.calls);
        page.part(&panel).await?;
        page.gone(&any("radio")).await?;
        page.press(keys::ESCAPE).await?;
        page.gone(&panel).await?;
        eventually("the focus at the menu's button", async || match page.focused().await? {
            (_, name) if name.starts_with(N.menu) => Ok(()),
            focused => bail!("it is at {focused:?}"),
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_phone_has_one_bar_and_shows_what_is_unread_elsewhere() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        let design = grace.create_room("design").await?;
        let page = world.person("Ada").await?;
        page.part(&part("textbox", N.message)).await?;
        page.resize(320, 568).await?;
        page.part(&part("button", N.back)).await?;
        let above = number(&page, "document.querySelector('.chat-log').getBoundingClientRect().top").await?;
        assert!(above <= 48.0, "{above} pixels are above the messages");
        grace.send(&design, "news").await?;
        page.click(&part("button", "Back to rooms, 1 unread")).await?;
        page.part(&part("link", "design, 1 unread")).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn at_a_zoom_of_400_percent_most_of_the_height_is_for_messages() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.part(&part("textbox", N.message)).await?;
        // 1280 × 800 pixels at 400 %.
        page.resize(320, 200).await?;
        eventually("100 pixels for messages", async || {
            match number(&page, "document.querySelector('.chat-log').clientHeight").await? {
                height if height >= 100.0 => Ok(()),
                height => bail!("there are {height}"),
            }
        })
        .await
    })
    .await
}

/// The pixels by which something is wider than its place.
const BEYOND: &str =
    "Math.max(...['main', '.greeter__page', '.greeter__calls'].map((part) => document.querySelector(part))
    .map((part) => part ? part.scrollWidth - part.clientWidth : 0))";

#[tokio::test]
async fn text_of_twice_the_size_overlaps_nowhere() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace Brewster Murray Hopper").await?;
        grace.send("general", "first").await?;
        grace.send("general", "second").await?;
        for (width, height) in [(1280, 900), (320, 640)] {
            let browser = Browser { text_size: 32, ..Browser::default() };
            let page = world.browser("Ada", browser).await?;
            page.resize(width, height).await?;
            page.open("/").await?;
            page.join(&format!("Ada {width}")).await?;
            page.page_contains("second").await?;
            let size = number(&page, "parseFloat(getComputedStyle(document.body).fontSize)").await?;
            assert_eq!(size, 32.0);
            let overlaps: Vec<String> = page
                .run(
                    "const row = document.querySelector('.chat-message[data-head]');
                     const parts = [...row.querySelectorAll('.face, .chat-message__author, .chat-message__time, article')];
                     const boxes = parts.map((part) => part.getBoundingClientRect());
                     const found = [];
                     boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b, j) => {
                         const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                         const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                         if (x > 1 && y > 1) found.push(`${parts[i].className} and ${parts[i + 1 + j].className}`);
                     }));
                     if (document.scrollingElement.scrollWidth > innerWidth) found.push('the page is too wide');
                     return found",
                    vec![],
                )
                .await?;
            assert!(overlaps.is_empty(), "at {width} pixels: {overlaps:?}");
            page.write("```\nshort\n```").await?;
            page.shows_stored("short").await?;
            let code = "document.querySelector('.chat-code')";
            let button = format!("{code}.querySelector('button').getBoundingClientRect().bottom");
            let block = format!("{code}.getBoundingClientRect().bottom");
            assert!(number(&page, &button).await? <= number(&page, &block).await?, "the button stands out");
            page.open("/settings").await?;
            page.contains_text(&part("region", "Sessions"), "This session").await?;
            assert_eq!(number(&page, BEYOND).await?, 0.0, "the settings at {width} pixels");
            page.open("/greeter").await?;
            page.part(&part("form", "SayHelloBidiStream")).await?;
            assert_eq!(number(&page, BEYOND).await?, 0.0, "the Greeter at {width} pixels");
        }
        Ok(())
    })
    .await
}

/// The names of the rooms' links from top to bottom.
async fn rooms(page: &Page) -> Result<Vec<String>> {
    let links = any("link").within(&part("navigation", N.rooms));
    page.run("return find(arguments[0].steps).map(name)", vec![serde_json::to_value(links)?]).await
}

#[tokio::test]
async fn unread_rooms_stand_first_and_arrow_keys_move_between_rooms() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        let design = grace.create_room("design").await?;
        let lunch = grace.create_room("lunch").await?;
        let page = world.person("Ada").await?;
        page.part(&part("link", "lunch").within(&part("navigation", N.rooms))).await?;
        grace.send(&lunch, "first").await?;
        grace.send(&design, "second").await?;
        let sorted = ["design, 1 unread", "lunch, 1 unread", "general"];
        eventually("the unread rooms first", async || match rooms(&page).await? {
            rooms if rooms == sorted => Ok(()),
            rooms => bail!("the order is {rooms:?}"),
        })
        .await?;
        page.part(&part("heading", "Unread")).await?;
        page.run::<()>("document.querySelector('.chat-rooms__link').focus()", vec![]).await?;
        page.press(keys::ARROW_DOWN).await?;
        assert_eq!(page.focused().await?.1, "lunch, 1 unread");
        page.press(keys::ENTER).await?;
        page.part(&part("log", "lunch")).await?;
        // A room that was read stays where it is while it is shown.
        page.part(&part("link", "lunch").within(&part("navigation", N.rooms))).await?;
        assert_eq!(rooms(&page).await?, ["design, 1 unread", "lunch", "general"]);
        page.click(&part("link", "general").within(&part("navigation", N.rooms))).await?;
        eventually("the read room in the other section", async || match rooms(&page).await? {
            rooms if rooms[0] == "design, 1 unread" && rooms[1..].contains(&"lunch".to_owned()) => {
                let first: f64 = number(&page, "document.querySelector('.chat-rooms__nav ul').children.length").await?;
                if first == 1.0 { Ok(()) } else { bail!("{first} rooms are unread") }
            }
            rooms => bail!("the order is {rooms:?}"),
        })
        .await?;
        let bar = number(
            &page,
            "parseFloat(getComputedStyle(document.querySelector('.chat-rooms__link[aria-current]'), '::before').width)",
        )
        .await?;
        assert_eq!(bar, 3.0);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn person_and_unread_messages_are_known_on_every_page() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        for path in ["/greeter", "/settings"] {
            ada.open(path).await?;
            ada.part(&part("button", "Menu: Ada")).await?;
        }
        let grace = Guest::join(&world.url(), "Grace").await?;
        grace.send("general", "news").await?;
        eventually("the count in the title", async || match ada.title().await? {
            title if title.starts_with("(1) ") => Ok(()),
            title => bail!("it is {title:?}"),
        })
        .await
    })
    .await
}

#[tokio::test]
async fn the_join_form_keeps_its_place_when_an_error_appears() -> Result {
    scenario(async |world| {
        let page = world.browser("Ada", Browser::default()).await?;
        page.open("/").await?;
        page.part(&part("form", N.join)).await?;
        let button = "document.querySelector('.chat-join__form button').getBoundingClientRect().top";
        let before = number(&page, button).await?;
        page.click(&part("button", N.join)).await?;
        page.page_contains("Enter a name.").await?;
        assert_eq!(number(&page, button).await?, before);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn paper_has_the_whole_conversation_that_is_drawn() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        for number in 1..=70 {
            grace.send("general", &format!("message number {number}.")).await?;
        }
        let page = world.person("Ada").await?;
        page.page_contains("message number 70.").await?;
        page.devtools("Emulation.setEmulatedMedia", json!({ "media": "print" })).await?;
        let (hidden, height, shown): (bool, f64, f64) = page
            .run(
                "const log = document.querySelector('.chat-log');
                 const parts = ['.header', '.chat-rooms', '.chat-composer'].map((part) => document.querySelector(part));
                 return [parts.every((part) => !part.checkVisibility()), log.scrollHeight, log.clientHeight]",
                vec![],
            )
            .await?;
        assert!(hidden, "paper has parts to act with");
        assert!(shown == height && height > 1_500.0, "{shown} of {height} pixels are printed");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn settings_have_a_part_for_each_subject() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.part(&part("textbox", N.message)).await?;
        page.open("/settings").await?;
        for title in ["Language and theme", "Keyboard shortcuts", "About"] {
            page.part(&part("heading", title)).await?;
        }
        page.page_contains("Signed in as Ada").await?;
        page.click(&beginning("radio", N.dark)).await?;
        Ok(())
    })
    .await
}
