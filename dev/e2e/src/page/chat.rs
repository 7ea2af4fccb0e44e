//! The chat: joining, writing, and the messages on the screen.

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::part::{Part, any, beginning, part};
use crate::{Page, Result, eventually, keys};

/// A message on the screen.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Message {
    /// `<author>, <time>`.
    pub name: String,
    /// Its whole text.
    pub text: String,
    /// Its distance from the top of the view, CSS pixels.
    pub top: f64,
}

impl Page {
    /// Fills in the first visit's form.
    pub async fn join(&self, name: &str) -> Result {
        let form = part("form", self.names.join);
        self.fill(&part("textbox", self.names.your_name).within(&form), name).await?;
        self.click(&part("button", self.names.join).within(&form)).await
    }

    /// Writes a message in the composer and sends it with Enter.
    pub async fn write(&self, text: &str) -> Result {
        self.fill(&part("textbox", self.names.message), text).await?;
        self.press(keys::ENTER).await
    }

    /// The messages on the screen.
    pub async fn messages(&self) -> Result<Vec<Message>> {
        self.run("return messages()", vec![]).await
    }

    /// Waits until the screen has exactly these messages, in this order. They may still wait to be stored; see
    /// [`Page::shows_stored`].
    pub async fn shows_messages(&self, texts: &[impl AsRef<str>]) -> Result {
        let wanted: Vec<String> = texts.iter().map(|text| tidy(text.as_ref())).collect();
        eventually("the messages of the room, once and in order", async || {
            let messages = self.messages().await?;
            let waiting = [" ", self.names.waiting].concat();
            let shown: Vec<&str> = messages
                .iter()
                .map(|message| message.text.strip_suffix(&waiting).unwrap_or(&message.text))
                .collect();
            if shown == wanted { Ok(()) } else { bail!("the screen has {} messages: {shown:?}", shown.len()) }
        })
        .await
    }

    /// Waits until the message of this text is in view.
    pub async fn shows_in_view(&self, text: &str) -> Result {
        eventually(&format!("{text:?} in view"), async || {
            let messages = self.messages().await?;
            let message = messages.iter().find(|message| message.text == text).context("it is not there")?;
            if (0.0..600.0).contains(&message.top) { Ok(()) } else { bail!("it is at {}", message.top) }
        })
        .await
    }

    /// The entries of the copy of the chat in the browser's database, as text; none without a copy.
    pub async fn kept_chat(&self) -> Result<Vec<String>> {
        self.run_async(
            "const done = arguments[arguments.length - 1];
             window.kept = [];
             indexedDB.databases().then((all) => {
                 if (all.length === 0) return done();
                 const request = indexedDB.open(all[0].name);
                 request.onsuccess = () => {
                     const entries = request.result.transaction('kept').objectStore('kept').getAll();
                     entries.onsuccess = () => {
                         request.result.close();
                         window.kept = entries.result.map((entry) => new TextDecoder().decode(entry));
                         done();
                     };
                 };
             })",
        )
        .await?;
        self.run("return window.kept", vec![]).await
    }

    /// Waits until a message is on the screen, without a mark that it waits or was refused.
    pub async fn shows_stored(&self, text: &str) -> Result {
        eventually(&format!("{text:?} to be stored"), async || {
            let messages = self.messages().await?;
            let message =
                messages.iter().find(|message| message.text.contains(text)).context("it is not there")?;
            let is_marked =
                [self.names.waiting, self.names.not_sent].iter().any(|mark| message.text.contains(mark));
            if is_marked { bail!("its text is {:?}", message.text) } else { Ok(()) }
        })
        .await
    }

    /// The value of a field.
    pub async fn value(&self, field: &Part) -> Result<String> {
        self.part(field).await?;
        self.run("return find(arguments[0].steps)[0].value", vec![serde_json::to_value(field)?]).await
    }

    /// Waits until the composer holds exactly `text`.
    pub async fn composer_holds(&self, text: &str) -> Result {
        eventually(&format!("the composer to hold {text:?}"), async || {
            let held = self.value(&part("textbox", self.names.message)).await?;
            if held == text { Ok(()) } else { bail!("it holds {held:?}") }
        })
        .await
    }

    /// The texts of the page's `status` parts, the connection strip among them.
    pub async fn strip(&self) -> Result<Vec<String>> {
        let status = serde_json::to_value(any("status"))?;
        self.run("return find(arguments[0].steps).map((part) => tidy(part.innerText))", vec![status]).await
    }

    /// Waits until the connection strip contains `text`.
    pub async fn strip_says(&self, text: &str) -> Result {
        eventually(&format!("the strip to say {text:?}"), async || {
            let said = self.strip().await?;
            if said.iter().any(|said| said.contains(text)) { Ok(()) } else { bail!("it says {said:?}") }
        })
        .await
    }

    /// Waits until the connection strip is empty.
    pub async fn strip_is_empty(&self) -> Result {
        eventually("the strip to be empty", async || {
            let said = self.strip().await?;
            if said.iter().all(String::is_empty) { Ok(()) } else { bail!("it says {said:?}") }
        })
        .await
    }

    /// Opens the user's menu.
    pub async fn open_menu(&self) -> Result {
        self.click(&beginning("button", self.names.menu)).await
    }

    /// Chooses a radio button of the user's menu and closes the menu.
    pub async fn choose(&self, choice: &str) -> Result {
        self.open_menu().await?;
        self.click(&part("radio", choice)).await?;
        self.press(keys::ESCAPE).await?;
        self.gone(&any("radio")).await
    }
}

/// `text` with single spaces, as in `parts.js`.
fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
