//! Reading older messages.

use anyhow::{Context as _, bail};
use e2e::{ENGLISH, Guest, Names, Page, Result, beginning, eventually, part, scenario};

const N: &Names = &ENGLISH;

/// A scroll step, in CSS pixels.
const STEP: i32 = 400;

/// Scrolls the room's log.
async fn scroll_by(page: &Page, pixels: i32) -> Result {
    page.run(
        "const log = find([{ role: 'log', name: null }])[0];
         log.dispatchEvent(new WheelEvent('wheel', { deltaY: arguments[0], bubbles: true }));
         const before = log.scrollTop;
         log.scrollTop += arguments[0];
         // At the ends the browser scrolls by less.
         window.scrolled = (window.scrolled ?? 0) + log.scrollTop - before",
        vec![pixels.into()],
    )
    .await
}

async fn fill_room(world: &e2e::World, count: usize) -> Result<Guest> {
    let guest = Guest::join(&world.url(), "Grace").await?;
    for number in 1..=count {
        let lines = "and a line\n".repeat(number % 4);
        guest.send("general", &format!("message number {number}.\n{lines}")).await?;
    }
    Ok(guest)
}

#[tokio::test]
async fn scrolling_up_brings_older_messages_and_keeps_the_place_to_the_pixel() -> Result {
    scenario(async |world| {
        fill_room(world, 400).await?;
        let ada = world.person("Ada").await?;
        eventually("the newest message", async || match ada.messages().await?.last() {
            Some(last) if last.text.contains("message number 400.") => Ok(()),
            last => bail!("the last is {last:?}"),
        })
        .await?;
        eventually("nothing to say that it loads", async || match ada.all_text().await? {
            text if text.contains("Loading") => bail!("{text}"),
            _ => Ok(()),
        })
        .await?;
        // In every frame, the position of the message that was the highest in view in the frame before: a change without
        // scrolling is a jump.
        ada.run::<()>(WATCH, vec![]).await?;
        for round in 0.. {
            scroll_by(&ada, -STEP).await?;
            let messages = ada.messages().await?;
            let first = messages.first().context("no message is left on the screen")?;
            if first.text.contains("message number 1.") && first.top > -50.0 {
                break;
            }
            if round > 400 {
                bail!("after {round} steps the first message is {:?}", first.text);
            }
            frame(&ada).await?;
        }
        let jumps: Vec<f64> = ada.run("return window.jumps", vec![]).await?;
        if jumps.iter().any(|jump| jump.abs() > 1.0) {
            bail!("the text moved under the reader's eyes by {jumps:?}");
        }
        let loads: u32 = ada.run("return window.loads", vec![]).await?;
        assert!(loads > 1, "older messages came {loads} times: nothing was tested");
        Ok(())
    })
    .await
}

/// Records in `window.jumps` the distances that text moved without scrolling, and in `window.loads` the number of loads
/// of older messages.
const WATCH: &str = "
    const log = find([{ role: 'log', name: null }])[0];
    window.jumps = [];
    window.loads = 0;
    window.scrolled = 0;
    let marked = null;
    let top = 0;
    let first = null;
    const look = () => {
        if (marked?.isConnected) {
            const moved = marked.getBoundingClientRect().top - top + window.scrolled;
            if (Math.abs(moved) > 1) window.jumps.push(moved);
        }
        window.scrolled = 0;
        const articles = [...log.querySelectorAll('article')];
        if (first && articles[0] !== first) window.loads += 1;
        first = articles[0];
        const edge = log.getBoundingClientRect();
        marked = articles.find((article) => article.getBoundingClientRect().top > edge.top + edge.height / 3);
        top = marked?.getBoundingClientRect().top ?? 0;
        requestAnimationFrame(look);
    };
    look();";

/// Waits until the page has drawn twice.
async fn frame(page: &Page) -> Result {
    page.run_async(
        "const done = arguments[arguments.length - 1];
         requestAnimationFrame(() => requestAnimationFrame(() => done()))",
    )
    .await
}

#[tokio::test]
async fn a_reader_of_old_messages_keeps_the_place_and_sees_a_count_of_new_ones() -> Result {
    scenario(async |world| {
        let grace = fill_room(world, 120).await?;
        let ada = world.person("Ada").await?;
        eventually("the newest message", async || match ada.messages().await?.last() {
            Some(last) if last.text.contains("message number 120.") => Ok(()),
            last => bail!("the last is {last:?}"),
        })
        .await?;
        scroll_by(&ada, -3 * STEP).await?;
        frame(&ada).await?;
        let in_view = |messages: Vec<e2e::Message>| messages.into_iter().find(|message| message.top > 200.0);
        let before = in_view(ada.messages().await?).context("nothing is in view")?;
        grace.send("general", "new one").await?;
        grace.send("general", "new two").await?;
        ada.part(&part("button", &format!("{} (2)", N.latest))).await?;
        let after = ada.messages().await?;
        let after = after.iter().find(|message| message.text == before.text).context("it is gone")?;
        if (after.top - before.top).abs() > 1.0 {
            bail!("it moved from {} to {}", before.top, after.top);
        }
        ada.click(&beginning("button", N.latest)).await?;
        eventually("the newest in view", async || {
            let height: f64 = ada.run("return innerHeight", vec![]).await?;
            match ada.messages().await?.last() {
                Some(last) if last.text.contains("new two") && last.top < height => Ok(()),
                last => bail!("the last is {last:?}"),
            }
        })
        .await?;
        ada.gone(&beginning("button", N.latest)).await?;
        // At the end, the log follows new messages again.
        for number in 0..5 {
            grace.send("general", &format!("followed {number}\n\n\n")).await?;
        }
        eventually("the newest in view", async || {
            let height: f64 = ada.run("return innerHeight", vec![]).await?;
            match ada.messages().await?.last() {
                Some(last) if last.text.contains("followed 4") && last.top < height => Ok(()),
                last => bail!("the last is {last:?}"),
            }
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_reader_at_the_end_stays_there_while_the_composer_resizes() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        let field = part("textbox", N.message);
        ada.click(&field).await?;
        let guest = Guest::join(&world.url(), "Grace").await?;
        let sender = tokio::spawn(async move {
            let texts: Vec<String> = (1..=3_000).map(|number| format!("message {number}.")).collect();
            guest.send_all("general", &texts).await?;
            guest.send("general", "the very last").await
        });
        // Six lines, one more letter, one line: the composer grows, is measured again, and shrinks, each in a frame of its
        // own.
        while !sender.is_finished() {
            ada.insert("one\ntwo\nthree\nfour\nfive\nsix").await?;
            for letter in ["a", "b", "c"] {
                ada.insert(letter).await?;
            }
            frame(&ada).await?;
            ada.run::<()>("document.activeElement.select()", vec![]).await?;
            ada.insert("one").await?;
            frame(&ada).await?;
            ada.run::<()>("document.activeElement.select()", vec![]).await?;
        }
        ada.insert("one\ntwo\nthree\nfour\nfive\nsix").await?;
        ada.insert("a").await?;
        sender.await??;
        eventually("the newest in view", async || {
            let height: f64 = ada.run("return innerHeight", vec![]).await?;
            match ada.messages().await?.last() {
                Some(last) if last.text == "the very last" && last.top < height => Ok(()),
                last => bail!("the last is {last:?}"),
            }
        })
        .await?;
        ada.gone(&beginning("button", N.latest)).await
    })
    .await
}
