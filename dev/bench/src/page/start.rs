//! The start of the page, with the processor four times slower and a slow network.

use anyhow::{Result, ensure};
use e2e::{Guest, Page, World, eventually};
use serde_json::json;

use super::{N, row, value, watched};
use crate::report::Table;

const CONDITIONS: &str = "4x CPU, 1.6 Mbit/s, 150 ms";

/// Messages in the room.
const MESSAGES: usize = 300;

pub(super) async fn run(rounds: usize, table: &mut Table) -> Result<()> {
    let (mut shell, mut form, mut cold, mut warm) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut world = World::start().await?;
        let texts: Vec<String> = (1..=MESSAGES).map(|number| format!("message {number}.")).collect();
        Guest::join(&world.url(), "Grace").await?.send_all("general", &texts).await?;
        let page = watched(&mut world, "Ada").await?;
        throttle(&page).await?;
        page.open("/").await?;
        form.push(value(&page, "watch.form").await?);
        shell
            .push(value(&page, "performance.getEntriesByName('first-contentful-paint')[0].startTime").await?);
        page.join("Ada").await?;
        page.click(&e2e::part("button", N.done)).await?;

        page.visit("about:blank").await?;
        page.devtools("Network.clearBrowserCache", json!({})).await?;
        let storage =
            json!({ "origin": world.url(), "storageTypes": "cache_storage,indexeddb,service_workers" });
        page.devtools("Storage.clearDataForOrigin", storage).await?;
        cold.push(to_messages(&page).await?);
        keeps_copy(&page).await?;
        page.visit("about:blank").await?;
        warm.push(to_messages(&page).await?);
        world.close().await;
    }
    for (what, times, goal) in [
        ("shell painted, first visit", shell, "1000"),
        ("form to join painted, first visit", form, "2500"),
        ("messages painted, with a session and an empty cache", cold, "3000"),
        ("messages painted, with a session and a full cache", warm, "700"),
    ] {
        row(table, &format!("{what}, ms"), times, CONDITIONS, &format!("<= {goal}"));
    }
    Ok(())
}

async fn to_messages(page: &Page) -> Result<f64> {
    page.open("/").await?;
    value(page, "watch.messages").await
}

/// Waits until the browser keeps a copy of the chat.
async fn keeps_copy(page: &Page) -> Result<()> {
    eventually("the copy of the chat", async || {
        let entries = page.kept_chat().await?.len();
        // One is of the list of rooms, and one of each room.
        ensure!(entries >= 2, "it has {entries} entries");
        Ok(())
    })
    .await
}

async fn throttle(page: &Page) -> Result<()> {
    page.devtools("Network.enable", json!({})).await?;
    let bytes_per_second = 1_600_000 / 8;
    let network = json!({
        "offline": false,
        "latency": 150,
        "downloadThroughput": bytes_per_second,
        "uploadThroughput": bytes_per_second,
    });
    page.devtools("Network.emulateNetworkConditions", network).await?;
    page.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": 4 })).await?;
    Ok(())
}
