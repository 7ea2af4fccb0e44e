//! A killed server and a lost network: no message is lost or repeated.

use anyhow::bail;
use e2e::{ENGLISH, Names, Result, eventually, part, scenario};

const N: &Names = &ENGLISH;

#[tokio::test]
async fn a_killed_server_loses_and_repeats_no_message() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        let grace = world.person("Grace").await?;
        let mut texts: Vec<String> = Vec::new();
        for number in 1..=3 {
            texts.push(format!("before {number}"));
            ada.write(&texts[number - 1]).await?;
        }
        grace.shows_messages(&texts).await?;
        ada.allow_failed_requests();
        grace.allow_failed_requests();

        // Killed directly after a message, which may be stored or not, acknowledged or not.
        texts.push("at the very moment".to_owned());
        ada.write("at the very moment").await?;
        world.kill_server()?;
        for number in 1..=5 {
            texts.push(format!("while it is down {number}"));
            ada.write(&texts[texts.len() - 1]).await?;
        }
        eventually("five messages that wait", async || {
            let waiting =
                ada.messages().await?.iter().filter(|message| message.text.contains(N.waiting)).count();
            if waiting >= 5 { Ok(()) } else { bail!("{waiting} wait") }
        })
        .await?;
        ada.shows_messages(&texts).await?;

        world.restart_server()?;
        grace.shows_messages(&texts).await?;
        ada.shows_messages(&texts).await?;
        ada.shows_stored(&texts[texts.len() - 1]).await?;
        ada.strip_is_empty().await?;
        grace.strip_is_empty().await?;
        grace.write("afterwards").await?;
        texts.push("afterwards".to_owned());
        let late = world.person("Edsger").await?;
        for page in [&ada, &grace, &late] {
            page.shows_messages(&texts).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn waiting_messages_survive_a_reload_while_the_server_is_down() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("first").await?;
        ada.shows_stored("first").await?;
        ada.allow_failed_requests();
        world.kill_server()?;
        ada.write("second").await?;
        ada.write("third").await?;
        ada.shows_messages(&["first", "second", "third"]).await?;
        world.restart_server()?;
        // The new page finds the messages that are not yet stored, and sends each once.
        ada.reload().await?;
        ada.shows_messages(&["first", "second", "third"]).await?;
        ada.shows_stored("third").await?;
        let grace = world.person("Grace").await?;
        grace.shows_messages(&["first", "second", "third"]).await
    })
    .await
}

#[tokio::test]
async fn the_strip_says_that_the_page_reconnects_and_try_now_does() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        ada.strip_is_empty().await?;
        ada.allow_failed_requests();
        world.kill_server()?;
        ada.strip_says("Reconnecting").await?;
        let before = ada.strip().await?;
        world.restart_server()?;
        eventually("the strip to be empty after Try now", async || {
            if let Some(button) = ada.parts(&part("button", "Try now")).await?.first() {
                // It may have gone meanwhile.
                button.click().await.ok();
            }
            let said = ada.strip().await?;
            if said.iter().all(String::is_empty) {
                Ok(())
            } else {
                bail!("it says {said:?}, before {before:?}")
            }
        })
        .await?;
        ada.write("back").await?;
        ada.shows_stored("back").await
    })
    .await
}

#[tokio::test]
async fn messages_written_offline_are_sent_once_afterwards() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        let grace = world.person("Grace").await?;
        ada.write("online").await?;
        grace.shows_messages(&["online"]).await?;
        ada.allow_failed_requests();
        // A frame that was on its way shows that the network is there. Then the browser has to report the loss again.
        eventually("the strip to say that the network is lost", async || {
            let said = ada.strip().await?;
            if said.iter().any(|said| said.contains("Offline. What you write is kept and sent later.")) {
                return Ok(());
            }
            ada.set_offline(false).await?;
            ada.set_offline(true).await?;
            bail!("it says {said:?}")
        })
        .await?;
        ada.write("offline one").await?;
        ada.write("offline two").await?;
        eventually("both to wait", async || {
            let waiting =
                ada.messages().await?.iter().filter(|message| message.text.contains(N.waiting)).count();
            if waiting == 2 { Ok(()) } else { bail!("{waiting} wait") }
        })
        .await?;
        grace.write("meanwhile").await?;
        grace.shows_stored("meanwhile").await?;
        ada.set_offline(false).await?;
        for page in [&ada, &grace] {
            page.shows_messages(&["online", "meanwhile", "offline one", "offline two"]).await?;
            page.shows_stored("offline two").await?;
        }
        ada.strip_is_empty().await
    })
    .await
}

#[tokio::test]
async fn two_people_write_while_the_server_is_killed_again_and_again() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        let grace = world.person("Grace").await?;
        for page in [&ada, &grace] {
            page.part(&part("textbox", N.message)).await?;
            page.allow_failed_requests();
        }
        let (mut by_ada, mut by_grace) = (Vec::new(), Vec::new());
        for round in 1..=4 {
            for number in 1..=3 {
                by_ada.push(format!("Ada {round}.{number}"));
                ada.write(&by_ada[by_ada.len() - 1]).await?;
                by_grace.push(format!("Grace {round}.{number}"));
                grace.write(&by_grace[by_grace.len() - 1]).await?;
                // At another time in each round.
                if number == round.min(3) {
                    world.kill_server()?;
                }
            }
            world.restart_server()?;
        }
        let order = eventually("all messages, stored, on both screens", async || {
            let on_ada: Vec<String> = ada.messages().await?.into_iter().map(|message| message.text).collect();
            let on_grace: Vec<String> =
                grace.messages().await?.into_iter().map(|message| message.text).collect();
            if on_ada.len() == 24 && on_ada == on_grace {
                Ok(on_ada)
            } else {
                bail!("{on_ada:?}, {on_grace:?}")
            }
        })
        .await?;
        // Each once, and each person's in order.
        let of = |who: &str| order.iter().filter(|said| said.starts_with(who)).cloned().collect::<Vec<_>>();
        assert_eq!((of("Ada "), of("Grace ")), (by_ada, by_grace));
        let late = world.person("Edsger").await?;
        late.shows_messages(&order).await
    })
    .await
}

#[tokio::test]
async fn a_restarted_server_says_goodbye_and_clients_reconnect() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("before").await?;
        ada.shows_stored("before").await?;
        ada.allow_failed_requests();
        world.end_server()?;
        ada.write("in between").await?;
        world.restart_server()?;
        ada.shows_stored("in between").await?;
        ada.shows_messages(&["before", "in between"]).await?;
        ada.strip_is_empty().await
    })
    .await
}

#[tokio::test]
async fn two_tabs_show_the_same_and_send_waiting_messages_once() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("from the first tab").await?;
        ada.shows_stored("from the first tab").await?;
        ada.open_tab("/").await?;
        ada.shows_messages(&["from the first tab"]).await?;
        ada.write("from the second tab").await?;
        ada.shows_stored("from the second tab").await?;
        ada.allow_failed_requests();
        world.kill_server()?;
        ada.write("waits in the second").await?;
        ada.switch_to_tab(0).await?;
        ada.shows_messages(&["from the first tab", "from the second tab", "waits in the second"]).await?;
        ada.write("waits in the first").await?;
        world.restart_server()?;
        let all = ["from the first tab", "from the second tab", "waits in the second", "waits in the first"];
        ada.shows_stored("waits in the first").await?;
        let grace = world.person("Grace").await?;
        grace.shows_messages(&all).await?;
        ada.shows_messages(&all).await?;
        ada.switch_to_tab(1).await?;
        ada.shows_messages(&all).await?;
        ada.shows_stored("waits in the second").await
    })
    .await
}

#[tokio::test]
async fn a_message_over_the_rate_shows_its_wait_and_is_sent() -> Result {
    scenario(async |world| {
        world.restart_with(&["--rates=true", "--rate-send-user=3:1/3s"])?;
        let ada = world.person("Ada").await?;
        let grace = world.person("Grace").await?;
        let texts: Vec<String> = (1..=6).map(|number| format!("message {number}")).collect();
        for text in &texts {
            ada.write(text).await?;
        }

        eventually("a waiting message to say when it is sent", async || {
            let messages = ada.messages().await?;
            let heard = messages.iter().any(|message| message.text.contains("The server asks to wait."));
            // The countdown is hidden from screen readers.
            let holds =
                "return [...document.querySelectorAll('.chat-message__hold')].map((e) => e.innerText)";
            let seen: Vec<String> = ada.run(holds, vec![]).await?;
            match heard && seen.iter().any(|seen| seen.contains("Sends in ")) {
                true => Ok(()),
                false => bail!("{messages:?} {seen:?}"),
            }
        })
        .await?;

        // All of them, once, in order, without a click.
        grace.shows_messages(&texts).await?;
        ada.shows_stored("message 6").await?;
        ada.shows_messages(&texts).await
    })
    .await
}
