//! axe-core's checks, and the browser's accessibility tree.

use anyhow::{Context as _, bail};
use e2e::{Browser, ENGLISH, Guest, Names, Page, Result, any, axe, beginning, part, scenario};
use serde_json::Value;

const N: &Names = &ENGLISH;

/// Fails when axe finds a violation. The error names rules and elements.
pub(crate) async fn has_no_barriers(page: &Page, place: &str) -> Result {
    let script = std::fs::read_to_string(axe()?).context("axe-core can not be read")?;
    page.run::<()>(&format!("if (!window.axe) {{ {script} }}"), vec![]).await?;
    page.settled().await?;
    page.run_async(
        "const done = arguments[arguments.length - 1];
         window.axe.run(document, { resultTypes: ['violations'] }).then(
             (results) => { window.barriers = results.violations; done(); },
             (error) => { window.barriers = [{ id: String(error), nodes: [] }]; done(); })",
    )
    .await?;
    let violations: Vec<Value> = page.run("return window.barriers", vec![]).await?;
    let described = violations.iter().map(|violation| {
        let nodes = violation["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let nodes: Vec<String> =
            nodes.iter().map(|node| format!("{} {}", node["html"], node["failureSummary"])).collect();
        format!("{}: {}", violation["id"], nodes.join("; "))
    });
    let described: Vec<String> = described.collect();
    if described.is_empty() { Ok(()) } else { bail!("{place}: {}", described.join("\n")) }
}

#[tokio::test]
async fn axe_finds_no_violation_on_the_first_visit_and_the_chat() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace").await?;
        grace.create_room("Second").await?;
        let texts =
            ["Hello", "A [link](https://example.org), `code` and **bold**", "> quoted\n\n```\nblock\n```"];
        for text in texts {
            grace.send("general", text).await?;
        }
        let page = world.browser("Ada", Browser::default()).await?;
        for colours in ["light", "dark"] {
            page.prefer_colours(colours).await?;
            page.open("/").await?;
            page.part(&part("form", N.join)).await?;
            has_no_barriers(&page, &format!("the first visit, {colours}")).await?;
        }
        page.join("Ada").await?;
        page.write("My own").await?;
        page.shows_stored("My own").await?;
        page.fill(&part("textbox", N.message), "a draft").await?;
        for colours in ["light", "dark"] {
            page.prefer_colours(colours).await?;
            has_no_barriers(&page, &format!("the chat, {colours}")).await?;
            page.open_menu().await?;
            page.part(&part("radio", N.dark)).await?;
            has_no_barriers(&page, &format!("the chat with the menu open, {colours}")).await?;
            page.press(e2e::keys::ESCAPE).await?;
            page.gone(&any("radio")).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn axe_finds_no_violation_on_the_greeter_and_the_settings() -> Result {
    scenario(async |world| {
        let page = world.browser("Ada", Browser::default()).await?;
        page.open("/greeter").await?;
        page.click(&part("button", N.say_hello)).await?;
        page.contains_text(&part("form", "SayHello"), "0 OK").await?;
        page.click(&part("button", N.calls)).await?;
        let panel = part("region", N.calls);
        page.part_of(&beginning("button", "").within(&any("listitem").within(&panel)), 0)
            .await?
            .click()
            .await?;
        page.contains_text(&panel, "not compressed").await?;
        for colours in ["light", "dark"] {
            page.prefer_colours(colours).await?;
            has_no_barriers(&page, &format!("the Greeter with an open call, {colours}")).await?;
        }
        page.open("/settings").await?;
        page.part(&part("radio", N.dark)).await?;
        has_no_barriers(&page, "the settings").await
    })
    .await
}

#[tokio::test]
async fn axe_finds_no_violation_in_the_sessions_and_the_recovery_code() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.open("/settings").await?;
        ada.click(&part("button", "Make a new code")).await?;
        ada.part(&part("form", "Recovery code")).await?;
        ada.contains_text(&part("region", "Sessions"), "This session").await?;
        for colours in ["light", "dark"] {
            ada.prefer_colours(colours).await?;
            has_no_barriers(&ada, &format!("the settings of a person, {colours}")).await?;
        }
        let newcomer = world.browser("Newcomer", Browser::default()).await?;
        newcomer.open("/").await?;
        newcomer.click(&part("button", "I have a recovery code")).await?;
        newcomer.part(&part("checkbox", "Sign out everywhere else")).await?;
        has_no_barriers(&newcomer, "the form of the recovery code").await
    })
    .await
}
