//! Very many messages at once.

use std::time::{Duration, Instant};

use anyhow::bail;
use e2e::{ENGLISH, Guest, Names, Result, eventually, part, scenario};

const N: &Names = &ENGLISH;

/// How many messages arrive.
const COUNT: usize = 10_000;

/// How many of them may be in the page at once.
const ARTICLES_MAX: usize = 400;

/// How long a key or a click may take to show, while the messages come in. An optimised page on two
/// cores that it shares with the server and the sender takes a small part of it.
const ANSWER_MAX: Duration = Duration::from_secs(2);

#[tokio::test]
async fn ten_thousand_messages_arrive_and_the_page_still_answers() -> Result {
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

        let mut typed = String::new();
        let mut slowest = Duration::ZERO;
        while !sender.is_finished() {
            let asked = Instant::now();
            ada.insert("x").await?;
            typed.push('x');
            let held: String = ada
                .run("return find(arguments[0].steps)[0].value", vec![serde_json::to_value(&field)?])
                .await?;
            slowest = slowest.max(asked.elapsed());
            assert_eq!(held, typed);
            let articles = ada.messages().await?.len();
            if articles > ARTICLES_MAX {
                bail!("{articles} messages are in the page at once");
            }
        }
        sender.await??;
        eventually("the last message", async || match ada.messages().await?.last() {
            Some(last) if last.said.contains("the very last") => Ok(()),
            last => bail!("the last is {last:?}"),
        })
        .await?;
        println!("the slowest answer took {slowest:?}, {} keys", typed.len());
        if slowest > ANSWER_MAX {
            bail!("a key took {slowest:?} to show");
        }

        let asked = Instant::now();
        ada.open_menu().await?;
        ada.part(&part("radio", N.dark)).await?;
        let took = asked.elapsed();
        if took > ANSWER_MAX {
            bail!("a click took {took:?}");
        }
        ada.press(e2e::keys::ESCAPE).await?;
        ada.click(&field).await?;
        ada.press(e2e::keys::ENTER).await?;
        ada.has_stored(&typed).await
    })
    .await
}
