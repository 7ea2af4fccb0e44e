//! Three servers of one chat behind a balancer: one is killed, and all are upgraded. They need nats-server.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use anyhow::{bail, ensure};
use e2e::{ENGLISH, Guest, Names, Page, Relay, Result, World, cluster_scenario, eventually, part};
use rustix::process::Signal;

const N: &Names = &ENGLISH;

/// The longest pause on a page while servers are upgraded, milliseconds.
const LONGEST_PAUSE: f64 = 2_000.0;
/// The script that measures it.
const WATCH: &str = include_str!("several_servers/watch.js");

/// Somebody whose browser reaches the servers through a balancer.
async fn person(world: &mut World, name: &str, balancer: &Relay) -> Result<Page> {
    let page = world.browser(name, Default::default()).await?;
    page.visit(&format!("{}/", balancer.url())).await?;
    page.join(name).await?;
    page.click(&part("button", N.done)).await?;
    page.strip_is_empty().await?;
    // Connections to a server that ends are lost.
    page.allow_failed_requests();
    Ok(page)
}

/// Writes the next messages of a person, and keeps them.
async fn write(page: &Page, name: &str, count: usize, written: &mut Vec<String>) -> Result {
    for _ in 0..count {
        let number = written.iter().filter(|text| text.ends_with(name)).count() + 1;
        written.push(format!("message {number} of {name}"));
        page.write(&written[written.len() - 1]).await?;
    }
    Ok(())
}

/// Waits until both pages have exactly these messages, stored and in the same order, and each person's in theirs.
async fn both_have(pages: [&Page; 2], written: &[String]) -> Result {
    let order = eventually("all messages, stored, on both screens", async || {
        let [first, second] = [texts(pages[0]).await?, texts(pages[1]).await?];
        if first.len() == written.len() && first == second {
            Ok(first)
        } else {
            bail!("{first:?}, {second:?}")
        }
    })
    .await?;
    ensure!(by_person(&order) == by_person(written), "{order:?} are not once and in order");
    Ok(())
}

async fn texts(page: &Page) -> Result<Vec<String>> {
    Ok(page.messages().await?.into_iter().map(|message| message.text).collect())
}

/// The messages of each person, in their order.
fn by_person(texts: &[String]) -> BTreeMap<&str, Vec<&str>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for text in texts {
        all.entry(text.rsplit(' ').next().unwrap_or_default()).or_default().push(text.as_str());
    }
    all
}

#[tokio::test]
async fn a_killed_server_loses_and_repeats_no_message() -> Result {
    cluster_scenario(async |world| {
        let mut servers = world.addresses();
        // Each person stays at a server of their own while that is there.
        let balancer = Relay::to_first(&servers)?;
        let ada = person(world, "Ada", &balancer).await?;
        servers.rotate_left(1);
        let other_balancer = Relay::to_first(&servers)?;
        let grace = person(world, "Grace", &other_balancer).await?;
        let mut written = Vec::new();
        for killed in [0, 1] {
            write(&ada, "Ada", 2, &mut written).await?;
            write(&grace, "Grace", 2, &mut written).await?;
            world.servers()[killed].kill()?;
            write(&ada, "Ada", 2, &mut written).await?;
            write(&grace, "Grace", 2, &mut written).await?;
            // While it is down.
            both_have([&ada, &grace], &written).await?;
            ada.strip_is_empty().await?;
            grace.strip_is_empty().await?;
            world.servers()[killed].start()?;
        }
        // The third server, and those that were killed, have the same.
        for address in servers {
            ensure!(history(address).await?.len() == written.len());
        }
        Ok(())
    })
    .await
}

/// The messages that a server has.
async fn history(server: SocketAddr) -> Result<Vec<String>> {
    let guest = Guest::join(&format!("http://{server}"), &format!("Reader at {}", server.port())).await?;
    Ok(guest.history("general").await?.into_iter().map(|(_, _, text)| text).collect())
}

#[tokio::test]
async fn an_upgrade_of_all_servers_pauses_no_page() -> Result {
    cluster_scenario(async |world| {
        let servers = world.addresses();
        let balancer = Relay::in_turn(&servers)?;
        let ada = person(world, "Ada", &balancer).await?;
        let grace = person(world, "Grace", &balancer).await?;
        for page in [&ada, &grace] {
            page.run::<()>(WATCH, vec![]).await?;
        }
        let mut written = Vec::new();
        for index in 0..servers.len() {
            world.servers()[index].signal(Signal::TERM)?;
            while !world.servers()[index].has_ended() {
                write(&ada, "Ada", 1, &mut written).await?;
                write(&grace, "Grace", 1, &mut written).await?;
            }
            world.servers()[index].start()?;
            write(&ada, "Ada", 2, &mut written).await?;
            write(&grace, "Grace", 2, &mut written).await?;
        }
        let last = &written[written.len() - 1];
        ada.shows_stored(last).await?;
        grace.shows_stored(last).await?;
        ada.strip_is_empty().await?;
        grace.strip_is_empty().await?;

        let stored = history(servers[0]).await?;
        ensure!(by_person(&stored) == by_person(&written), "{stored:?} are not {written:?}");
        check_pauses([&ada, &grace], &written).await
    })
    .await
}

/// Checks that no message took long from its author's screen to the other, and that no strip was shown for long.
async fn check_pauses(pages: [&Page; 2], written: &[String]) -> Result {
    let mut came = Vec::new();
    let mut longest = 0.0_f64;
    for page in pages {
        page.run::<()>("watch.look()", vec![]).await?;
        came.push(page.run::<HashMap<String, f64>>("return watch.came", vec![]).await?);
        longest = longest.max(page.run("return watch.strip", vec![]).await?);
    }
    let strip = longest;
    for text in written {
        let [Some(one), Some(other)] = [came[0].get(text), came[1].get(text)] else {
            bail!("{text:?} was not on both screens");
        };
        longest = longest.max((one - other).abs());
    }
    eprintln!("{} messages; longest pause {longest:.0} ms, longest strip {strip:.0} ms", written.len());
    ensure!(
        longest <= LONGEST_PAUSE,
        "a page paused for {longest:.0} ms; the strip was shown for {strip:.0} ms"
    );
    Ok(())
}
