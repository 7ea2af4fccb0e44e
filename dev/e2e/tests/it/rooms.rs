//! Several rooms.

use anyhow::bail;
use e2e::{Browser, ENGLISH, Guest, Names, Page, Part, Result, eventually, part, scenario};

const N: &Names = &ENGLISH;

fn link(room: &str, unread: u32) -> Part {
    part("link", &N.room(room, unread)).within(&part("navigation", N.rooms))
}

async fn create_room(page: &Page, name: &str) -> Result {
    page.click(&part("button", N.new_room)).await?;
    let dialog = e2e::any("dialog");
    page.fill(&part("textbox", N.room_name).within(&dialog), name).await?;
    page.click(&part("button", N.create).within(&dialog)).await?;
    page.gone(&dialog).await
}

#[tokio::test]
async fn a_new_room_appears_for_everybody_and_counts_unread_messages() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        let grace = world.person("Grace").await?;
        grace.part(&link("general", 0)).await?;
        create_room(&ada, "Lunch 午饭").await?;
        ada.part(&part("log", "Lunch 午饭")).await?;
        grace.part(&link("Lunch 午饭", 0)).await?;

        ada.write("Noodles?").await?;
        ada.write("Or rice?").await?;
        grace.part(&link("Lunch 午饭", 2)).await?;
        eventually("the count in the title", async || {
            let title = grace.title().await?;
            if title.starts_with("(2) ") { Ok(()) } else { bail!("it is {title:?}") }
        })
        .await?;

        grace.click(&link("Lunch 午饭", 2)).await?;
        grace.shows_messages(&["Noodles?", "Or rice?"]).await?;
        grace.part(&link("Lunch 午饭", 0)).await?;
        eventually("the title without a count", async || {
            let title = grace.title().await?;
            if title.starts_with("Lunch 午饭") { Ok(()) } else { bail!("it is {title:?}") }
        })
        .await?;

        // Read messages stay read, and rooms stay separate.
        grace.reload().await?;
        grace.part(&link("Lunch 午饭", 0)).await?;
        grace.click(&link("general", 0)).await?;
        grace.part(&part("log", "general")).await?;
        grace.shows_messages(&[] as &[&str]).await?;
        grace.back().await?;
        grace.shows_messages(&["Noodles?", "Or rice?"]).await
    })
    .await
}

#[tokio::test]
async fn a_room_name_in_use_is_refused_in_the_dialog() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.click(&part("button", N.new_room)).await?;
        let dialog = e2e::any("dialog");
        let field = part("textbox", N.room_name).within(&dialog);
        ada.fill(&field, "GENERAL").await?;
        ada.click(&part("button", N.create).within(&dialog)).await?;
        eventually("the field to be marked", async || {
            match ada.part(&field).await?.attr("aria-invalid").await?.as_deref() {
                Some("true") => Ok(()),
                mark => bail!("aria-invalid is {mark:?}"),
            }
        })
        .await?;
        ada.fill(&field, "General affairs").await?;
        ada.click(&part("button", N.create).within(&dialog)).await?;
        ada.part(&part("log", "General affairs")).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_root_path_opens_the_last_room() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        create_room(&ada, "Second").await?;
        ada.part(&part("log", "Second")).await?;
        ada.open("/").await?;
        ada.part(&part("log", "Second")).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_address_with_a_number_shows_that_message() -> Result {
    scenario(async |world| {
        let guest = Guest::join(&world.url(), "Grace").await?;
        let mut seq = 0;
        for number in 1..=300 {
            let stored = guest.send("general", &format!("message number {number}.")).await?;
            if number == 120 {
                seq = stored;
            }
        }
        let ada = world.person("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        ada.open(&format!("/room/general/{seq}")).await?;
        eventually("the message in view", async || {
            let height: f64 = ada.run("return innerHeight", vec![]).await?;
            let messages = ada.messages().await?;
            match messages.iter().find(|message| message.text.contains("message number 120.")) {
                Some(message) if message.top > 0.0 && message.top < height => Ok(()),
                Some(message) => bail!("it is at {}", message.top),
                None => bail!("it is not among the {} there", messages.len()),
            }
        })
        .await?;
        ada.click(&e2e::beginning("button", N.latest)).await?;
        eventually("the newest", async || match ada.messages().await?.last() {
            Some(last) if last.text.contains("message number 300.") => Ok(()),
            last => bail!("the last is {last:?}"),
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_missing_room_has_a_message_and_a_way_back() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        ada.open("/room/nowhere").await?;
        ada.part(&link("general", 0)).await?;
        ada.gone(&part("button", N.send)).await?;
        ada.click(&link("general", 0)).await?;
        ada.part(&part("textbox", N.message)).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_headers_links_lead_to_both_pages_and_back_returns() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("before").await?;
        ada.shows_stored("before").await?;
        ada.fill(&part("textbox", N.message), "a draft").await?;
        ada.click(&part("link", N.greeter)).await?;
        ada.part(&part("form", "SayHello")).await?;
        assert_eq!(ada.path().await?, "/greeter");
        ada.back().await?;
        ada.shows_messages(&["before"]).await?;
        assert_eq!(ada.path().await?, "/room/general");
        ada.click(&part("link", N.greeter)).await?;
        ada.part(&part("form", "SayHello")).await?;
        ada.click(&part("link", N.chat)).await?;
        ada.shows_messages(&["before"]).await?;
        ada.composer_holds("a draft").await
    })
    .await
}

#[tokio::test]
async fn a_phone_has_an_address_for_the_list_of_rooms() -> Result {
    scenario(async |world| {
        let ada = world.browser("Ada", Browser::default()).await?;
        ada.resize(320, 640).await?;
        ada.open("/").await?;
        ada.join("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        ada.click(&part("button", N.back)).await?;
        ada.part(&link("general", 0)).await?;
        assert_eq!(ada.path().await?, "/rooms");
        eventually("the focus on the room that was shown", async || {
            let focused = ada.focused().await?;
            if focused == ("link".to_owned(), "general".to_owned()) {
                Ok(())
            } else {
                bail!("it is at {focused:?}")
            }
        })
        .await?;
        ada.reload().await?;
        ada.part(&link("general", 0)).await?;
        ada.gone(&part("textbox", N.message)).await?;
        ada.click(&link("general", 0)).await?;
        ada.part(&part("textbox", N.message)).await?;
        let focused: String = ada.run("return document.activeElement.tagName", vec![]).await?;
        assert_ne!(focused, "BODY");
        ada.back().await?;
        ada.part(&link("general", 0)).await?;
        assert_eq!(ada.path().await?, "/rooms");
        // A wide page shows both.
        ada.resize(1280, 800).await?;
        ada.page_contains("Choose a room.").await
    })
    .await
}

/// Whether a room's link is in view of the list.
async fn is_in_view(page: &Page, room: &str) -> Result {
    eventually(&format!("{room} in view"), async || {
        let is_in_view: bool = page
            .run(
                "const link = find([{ role: 'link', name: arguments[0], prefix: true }])[0];
                 const [place, list] = [link, link.closest('nav')].map((part) => part.getBoundingClientRect());
                 return place.top >= list.top && place.bottom <= list.bottom",
                vec![room.into()],
            )
            .await?;
        if is_in_view { Ok(()) } else { bail!("it is not") }
    })
    .await
}

#[tokio::test]
async fn the_list_scrolls_to_the_room_and_points_to_unread_ones_beyond_its_edges() -> Result {
    scenario(async |world| {
        let ada = world.browser("Ada", Browser { height: 500, ..Browser::default() }).await?;
        ada.resize(1280, 500).await?;
        ada.open("/").await?;
        ada.join("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        let mut rooms = Vec::new();
        for name in ["Grace", "Edsger"] {
            let guest = Guest::join(&world.url(), name).await?;
            for number in 1..=15 {
                rooms.push((guest.create_room(&format!("{name} {number:02}")).await?, guest.clone()));
            }
        }
        ada.open("/").await?;
        ada.part(&link("Edsger 15", 0)).await?;
        ada.open(&format!("/room/{}", rooms[29].0)).await?;
        ada.part(&part("log", "Edsger 15")).await?;
        is_in_view(&ada, "Edsger 15").await?;
        for (room, guest) in &rooms[..25] {
            guest.send(room, "news").await?;
        }
        // Rooms with unread messages stand first, and the room that is shown stays in view below them.
        let above = part("button", "Unread rooms above");
        let mut clicks = 0;
        while ada.has(&above).await? || clicks == 0 {
            ada.click(&above).await?;
            clicks += 1;
            let (role, name) = ada.focused().await?;
            assert!(role == "link" && name.ends_with("1 unread"), "{role} {name}");
            is_in_view(&ada, &name).await?;
            ada.settled().await?;
            assert!(clicks < 30, "the button stays");
        }
        ada.part(&part("button", "Unread rooms below")).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn control_and_k_jumps_from_every_page_by_letters_in_order() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        for room in ["project 38", "project 39"] {
            grace.create_room(room).await?;
        }
        let ada = world.person("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        ada.open("/greeter").await?;
        ada.part(&part("form", "SayHello")).await?;
        ada.part(&e2e::beginning("button", &format!("{}: Ada", N.menu))).await?;
        ada.chord(&[e2e::keys::CONTROL, 'k']).await?;
        ada.part(&e2e::any("combobox")).await?;
        ada.type_keys("p39").await?;
        ada.press(e2e::keys::ENTER).await?;
        ada.part(&part("log", "project 39")).await?;
        ada.gone(&e2e::any("dialog")).await?;
        let focused: String = ada.run("return document.activeElement.tagName", vec![]).await?;
        assert_ne!(focused, "BODY");
        Ok(())
    })
    .await
}
