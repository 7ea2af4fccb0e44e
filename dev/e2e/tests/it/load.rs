//! Many messages at once.

use std::time::{Duration, Instant};

use anyhow::bail;
use e2e::{Browser, ENGLISH, Guest, Names, Result, eventually, part, scenario};

const N: &Names = &ENGLISH;

/// Number of messages.
const COUNT: usize = 10_000;

/// Limit of the messages in the document.
const ARTICLES_MAX: usize = 400;

/// Records in `window.longest` the longest blocking of the page's event loop, milliseconds.
const WATCH: &str = "
    window.longest = 0;
    let last = performance.now();
    const tick = () => {
        const now = performance.now();
        window.longest = Math.max(window.longest, now - last);
        last = now;
        setTimeout(tick, 5);
    };
    tick();";

/// Records in `window.wasm` the memory of the page's program.
const WATCH_MEMORY: &str = "
    for (const name of ['instantiate', 'instantiateStreaming']) {
        const original = WebAssembly[name];
        WebAssembly[name] = async (...parameters) => {
            const result = await original.apply(WebAssembly, parameters);
            const exports = Object.values((result.instance ?? result).exports);
            window.wasm ??= exports.find((value) => value instanceof WebAssembly.Memory);
            return result;
        };
    }";

/// The composer's content, and the number of messages in the document.
const HELD: &str = "return [document.activeElement.value, document.querySelectorAll('article').length]";

#[tokio::test]
async fn keys_are_kept_and_few_rows_drawn_while_ten_thousand_messages_arrive() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        let field = part("textbox", N.message);
        ada.click(&field).await?;
        let url = world.url();
        let texts: Vec<String> = (1..=COUNT).map(|number| format!("message {number}.")).collect();
        let sender = tokio::spawn(async move {
            let guest = Guest::join(&url, "Grace").await?;
            guest.send_all("general", &texts).await?;
            guest.send("general", "the very last").await
        });

        ada.run::<()>(WATCH, vec![]).await?;
        let begun = Instant::now();
        let mut typed = String::new();
        let mut slowest = Duration::ZERO;
        while !sender.is_finished() {
            let asked = Instant::now();
            ada.insert("x").await?;
            typed.push('x');
            let (held, articles): (String, usize) = ada.run(HELD, vec![]).await?;
            slowest = slowest.max(asked.elapsed());
            assert_eq!(held, typed);
            if articles > ARTICLES_MAX {
                bail!("{articles} messages are in the page at once");
            }
        }
        sender.await??;
        let sent = begun.elapsed();
        eventually("the last message", async || match ada.messages().await?.last() {
            Some(last) if last.text.contains("the very last") => Ok(()),
            last => bail!("the last is {last:?}"),
        })
        .await?;
        let longest: f64 = ada.run("return window.longest", vec![]).await?;
        let longest = Duration::from_secs_f64(longest / 1000.0);
        println!("sent in {sent:?}; {} keys, the slowest took {slowest:?}; the page was busy for at most {longest:?}", typed.len());
        // How long that is depends on the machine, so it is printed and has no limit here.
        ada.open_menu().await?;
        ada.part(&part("radio", N.dark)).await?;
        ada.press(e2e::keys::ESCAPE).await?;
        ada.click(&field).await?;
        ada.press(e2e::keys::ENTER).await?;
        ada.shows_stored(&typed).await
    })
    .await
}

/// A signal that a row of the list has read, such as the language, must not keep memory of the row after it is gone.
#[tokio::test]
async fn memory_does_not_grow_with_the_messages_that_were_shown() -> Result {
    scenario(async |world| {
        let ada = world.browser("Ada", Browser::default()).await?;
        ada.run_before_pages(WATCH_MEMORY).await?;
        ada.open("/").await?;
        ada.join("Ada").await?;
        ada.click(&part("button", N.done)).await?;
        let guest = Guest::join(&world.url(), "Grace").await?;
        let mut bytes = Vec::new();
        for part in 1..=3 {
            let texts: Vec<String> =
                (0..COUNT / 2).map(|number| format!("message {number} of part {part}")).collect();
            guest.send_all("general", &texts).await?;
            let last = format!("the last of part {part}");
            guest.send("general", &last).await?;
            eventually("the last message", async || match ada.messages().await?.last() {
                Some(shown) if shown.text.contains(&last) => Ok(()),
                shown => bail!("the last is {shown:?}"),
            })
            .await?;
            bytes.push(ada.run::<f64>("return window.wasm.buffer.byteLength", vec![]).await?);
        }
        println!("memory after each part: {bytes:?}");
        // The first part fills what is bounded: the newest messages of the room, and the log of calls.
        assert!(bytes[2] < bytes[0] * 1.1, "the memory grows: {bytes:?}");
        Ok(())
    })
    .await
}
