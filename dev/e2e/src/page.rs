//! A page in a browser: navigation, scripts, and parts by role and name.

mod chat;
pub mod keys;
mod surroundings;

use std::sync::{Arc, Mutex, atomic::AtomicBool};

use anyhow::{Context as _, bail};
use fantoccini::{Client, elements::Element};
use harness::browser::Kind;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    Names, Part, Result,
    driver::{DriverCommand, Output},
    eventually,
    names::{CHINESE, ENGLISH},
    page_error::Requests,
};

pub use self::chat::Message;
use self::surroundings::Stopped;

/// Functions that every script can call.
const PARTS: &str = include_str!("page/parts.js");

/// A page in a browser. Cheap to clone: all clones are the same page.
#[derive(Clone, Debug)]
pub struct Page {
    kind: Kind,
    client: Client,
    /// The lines that the browser prints.
    output: Output,
    base: String,
    names: &'static Names,
    allows_failed_requests: Arc<AtomicBool>,
    requests: Arc<Mutex<Requests>>,
    stopped: Arc<Stopped>,
}

impl Page {
    pub(crate) fn new(kind: Kind, client: Client, output: Output, base: String) -> Page {
        Page {
            kind,
            client,
            output,
            base,
            names: &ENGLISH,
            allows_failed_requests: Arc::default(),
            requests: Arc::default(),
            stopped: Arc::default(),
        }
    }

    /// The same page, whose parts are found by these names.
    pub fn by_names(&self, names: &'static Names) -> Page {
        Page { names, ..self.clone() }
    }

    /// The same page, whose parts are found by their Chinese names.
    pub fn in_chinese(&self) -> Page {
        self.by_names(&CHINESE)
    }

    /// The names by which parts are found.
    pub fn names(&self) -> &'static Names {
        self.names
    }

    /// Goes to a path of the server.
    pub async fn open(&self, path: &str) -> Result {
        Ok(self.client.goto(&format!("{}{path}", self.base)).await?)
    }

    /// Goes to any address.
    pub async fn visit(&self, url: &str) -> Result {
        Ok(self.client.goto(url).await?)
    }

    /// Opens another tab of the same browser and goes to a path there. Later steps act on that tab.
    pub async fn open_tab(&self, path: &str) -> Result {
        self.new_tab().await?;
        self.open(path).await
    }

    /// Opens another, empty tab of the same browser. Later steps act on it.
    pub async fn new_tab(&self) -> Result {
        let tab = self.client.new_window(true).await?;
        Ok(self.client.switch_to_window(tab.handle).await?)
    }

    /// Closes the tab, as its user does. The next step has to switch to another one.
    pub async fn close_tab(&self) -> Result {
        Ok(self.client.close_window().await?)
    }

    /// Switches to a tab, numbered from 0 in the order of opening.
    pub async fn switch_to_tab(&self, index: usize) -> Result {
        let tab = self.client.windows().await?.into_iter().nth(index).context("there is no such tab")?;
        Ok(self.client.switch_to_window(tab).await?)
    }

    /// Loads the page again.
    pub async fn reload(&self) -> Result {
        Ok(self.client.refresh().await?)
    }

    /// Goes back in the browser's history.
    pub async fn back(&self) -> Result {
        Ok(self.client.back().await?)
    }

    /// The path of the page's address.
    pub async fn path(&self) -> Result<String> {
        Ok(self.client.current_url().await?.path().to_owned())
    }

    /// The tab's title.
    pub async fn title(&self) -> Result<String> {
        Ok(self.client.title().await?)
    }

    /// Runs a function body in the page; `arguments` are `arguments` there.
    pub async fn run<T: DeserializeOwned>(&self, body: &str, arguments: Vec<Value>) -> Result<T> {
        let script = format!("{PARTS}\n{body}");
        let value = self.client.execute(&script, arguments).await?;
        Ok(serde_json::from_value(value)?)
    }

    /// Runs a function body in the page and waits until it calls the last of its `arguments`.
    pub async fn run_async(&self, body: &str) -> Result {
        self.client.execute_async(&format!("{PARTS}\n{body}"), vec![]).await?;
        Ok(())
    }

    /// Waits for the end of animations.
    pub async fn settled(&self) -> Result {
        self.run_async(
            "const done = arguments[arguments.length - 1];
             const frame = () => new Promise(requestAnimationFrame);
             const ends = (animation) => animation.effect.getComputedTiming().endTime < Infinity;
             frame().then(frame).then(() => Promise.allSettled(
                 document.getAnimations().filter(ends).map((animation) => animation.finished))).then(() => done())",
        )
        .await
    }

    /// All matching parts that exist now.
    pub async fn parts(&self, wanted: &Part) -> Result<Vec<Element>> {
        let script = format!("{PARTS}\nreturn find(arguments[0].steps)");
        let found = self.client.execute(&script, vec![json!(wanted)]).await?;
        let found: Vec<Value> = serde_json::from_value(found)?;
        let elements = found.into_iter().map(|element| {
            let id = element.as_object().and_then(|element| element.values().next()).and_then(Value::as_str);
            let id = id.context("a script returned something else than an element")?;
            Ok(Element::from_element_id(self.client.clone(), id.to_owned().into()))
        });
        elements.collect()
    }

    /// The one matching part that exists now. The error names the others of its role.
    async fn only(&self, wanted: &Part) -> Result<Element> {
        let mut found = self.parts(wanted).await?;
        match (found.pop(), found.len()) {
            (Some(element), 0) => Ok(element),
            (_, others) => {
                let names: Vec<String> =
                    self.run("return namesOf(arguments[0].steps)", vec![json!(wanted)]).await?;
                let count = if others == 0 { 0 } else { others + 1 };
                bail!("{count} times {wanted}; of that role: {names:?}")
            }
        }
    }

    /// Waits for the one matching part.
    pub async fn part(&self, wanted: &Part) -> Result<Element> {
        eventually(&wanted.to_string(), async || self.only(wanted).await).await
    }

    /// Waits for the matching part with this index.
    pub async fn part_of(&self, wanted: &Part, index: usize) -> Result<Element> {
        eventually(&wanted.to_string(), async || {
            let found = self.parts(wanted).await?;
            let count = found.len();
            found.into_iter().nth(index).with_context(|| format!("there are {count}"))
        })
        .await
    }

    /// Waits until no part matches.
    pub async fn gone(&self, wanted: &Part) -> Result {
        eventually(&format!("the end of {wanted}"), async || match self.parts(wanted).await?.len() {
            0 => Ok(()),
            count => bail!("it is there {count} times"),
        })
        .await
    }

    /// Whether a part matches now.
    pub async fn has(&self, wanted: &Part) -> Result<bool> {
        Ok(!self.parts(wanted).await?.is_empty())
    }

    /// Waits for a part that nothing covers, and clicks it.
    pub async fn click(&self, wanted: &Part) -> Result {
        let what = format!("a click on {wanted}");
        eventually(&what, async || Ok(self.only(wanted).await?.click().await?)).await
    }

    /// The text of a part.
    pub async fn text(&self, wanted: &Part) -> Result<String> {
        Ok(self.part(wanted).await?.text().await?)
    }

    /// Waits until the text of a part is exactly `text`.
    pub async fn has_text(&self, wanted: &Part, text: &str) -> Result {
        eventually(&format!("{wanted} to have the text {text:?}"), async || {
            let actual = self.only(wanted).await?.text().await?;
            if actual.trim() == text { Ok(()) } else { bail!("its text is {actual:?}") }
        })
        .await
    }

    /// Waits until the text of a part contains `text`.
    pub async fn contains_text(&self, wanted: &Part, text: &str) -> Result {
        eventually(&format!("{wanted} to contain {text:?}"), async || {
            let actual = self.only(wanted).await?.text().await?;
            if actual.contains(text) { Ok(()) } else { bail!("its text is {actual:?}") }
        })
        .await
    }

    /// Waits until the text of the page contains `text`.
    pub async fn page_contains(&self, text: &str) -> Result {
        eventually(&format!("the page to have the text {text:?}"), async || {
            let actual = self.all_text().await?;
            if actual.contains(text) { Ok(()) } else { bail!("its text is {actual:?}") }
        })
        .await
    }

    /// Role and name of a part in the browser's accessibility tree.
    pub async fn computed(&self, wanted: &Part) -> Result<(String, String)> {
        let element = self.part(wanted).await?.element_id();
        let role = self.client.issue_cmd(DriverCommand::computed(&element, "computedrole")).await?;
        let name = self.client.issue_cmd(DriverCommand::computed(&element, "computedlabel")).await?;
        Ok((serde_json::from_value(role)?, serde_json::from_value(name)?))
    }

    /// Closes the browser with all its tabs.
    pub(crate) async fn close(&self) -> Result {
        Ok(self.client.clone().close().await?)
    }

    /// A picture of the view.
    pub async fn screenshot(&self) -> Result<Vec<u8>> {
        Ok(self.client.screenshot().await?)
    }

    /// All text of the page.
    pub async fn all_text(&self) -> Result<String> {
        self.run("return document.body.innerText", vec![]).await
    }
}
