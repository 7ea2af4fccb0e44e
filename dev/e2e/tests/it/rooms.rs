//! Several rooms.

use anyhow::bail;
use e2e::{ENGLISH, Guest, Names, Page, Part, Result, eventually, part, scenario};

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
        let draft: String = ada
            .run(
                "return find(arguments[0].steps)[0].value",
                vec![serde_json::to_value(part("textbox", N.message))?],
            )
            .await?;
        assert_eq!(draft, "a draft");
        Ok(())
    })
    .await
}
