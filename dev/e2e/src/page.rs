//! One person's page in one browser.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, bail};
use fantoccini::{
    Client,
    actions::{InputSource as _, KeyAction, KeyActions},
    elements::Element,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    Names, Part, Result, eventually,
    names::{CHINESE, ENGLISH},
    part::{any, beginning, part},
    session::Extension,
    trouble::{self, Requests, Trouble},
};

/// What every script of this file can call.
const PARTS: &str = include_str!("page/parts.js");

/// Keys that have no character, by WebDriver's code points.
pub mod keys {
    /// Enter.
    pub const ENTER: char = '\u{e007}';
    /// Escape.
    pub const ESCAPE: char = '\u{e00c}';
    /// Tab.
    pub const TAB: char = '\u{e004}';
    /// Shift.
    pub const SHIFT: char = '\u{e008}';
    /// Control.
    pub const CONTROL: char = '\u{e009}';
    /// Alt.
    pub const ALT: char = '\u{e00a}';
    /// Space.
    pub const SPACE: char = '\u{e00d}';
    /// Arrow down.
    pub const DOWN: char = '\u{e015}';
}

/// A message on the screen.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Message {
    /// `<author>, <time>`.
    pub name: String,
    /// All that is said in it.
    pub said: String,
    /// Its place in the view, in CSS pixels.
    pub top: f64,
}

/// A page in a browser. Cheap to clone: all clones are the same page.
#[derive(Clone, Debug)]
pub struct Page {
    client: Client,
    base: String,
    names: &'static Names,
    forgives_requests: Arc<AtomicBool>,
    requests: Arc<Mutex<Requests>>,
}

impl Page {
    pub(crate) fn new(client: Client, base: String) -> Page {
        Page { client, base, names: &ENGLISH, forgives_requests: Arc::default(), requests: Arc::default() }
    }

    /// The same page, its parts looked for by these names.
    pub fn by_names(&self, names: &'static Names) -> Page {
        Page { names, ..self.clone() }
    }

    /// The same page, its parts looked for by their Chinese names.
    pub fn in_chinese(&self) -> Page {
        self.by_names(&CHINESE)
    }

    /// The names by which parts are looked for.
    pub fn names(&self) -> &'static Names {
        self.names
    }

    /// Goes to a path of the server.
    pub async fn open(&self, path: &str) -> Result {
        Ok(self.client.goto(&format!("{}{path}", self.base)).await?)
    }

    /// Goes to an address that may be anybody's.
    pub async fn visit(&self, url: &str) -> Result {
        Ok(self.client.goto(url).await?)
    }

    /// Opens another tab of the same browser, with the same profile, and goes to a path there. What is
    /// asked of the page is asked of that tab from now on.
    pub async fn open_tab(&self, path: &str) -> Result {
        let tab = self.client.new_window(true).await?;
        self.client.switch_to_window(tab.handle).await?;
        self.open(path).await
    }

    /// Goes to one of the browser's tabs, counted from 0 in the order in which they were opened.
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

    /// Where the page is.
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

    /// Waits until nothing moves or fades any more.
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

    /// A command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        Ok(self.client.issue_cmd(Extension::devtools(command, parameters)).await?)
    }

    /// All parts of the page that are there under this name now.
    pub async fn parts(&self, wanted: &Part) -> Result<Vec<Element>> {
        let script = format!("{PARTS}\nreturn find(arguments[0].steps)");
        let found = self.client.execute(&script, vec![json!(wanted)]).await?;
        let found: Vec<Value> = serde_json::from_value(found)?;
        let elements = found.into_iter().map(|element| {
            let id = element.as_object().and_then(|element| element.values().next()).and_then(Value::as_str);
            let id = id.context("a script gave something that is no element")?;
            Ok(Element::from_element_id(self.client.clone(), id.to_owned().into()))
        });
        elements.collect()
    }

    /// Whether exactly one such part is there now; otherwise which ones are.
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

    /// The one part of this name, when it is there.
    pub async fn part(&self, wanted: &Part) -> Result<Element> {
        eventually(&wanted.to_string(), async || self.only(wanted).await).await
    }

    /// One of the parts of this name, when so many are there.
    pub async fn part_of(&self, wanted: &Part, index: usize) -> Result<Element> {
        eventually(&wanted.to_string(), async || {
            let found = self.parts(wanted).await?;
            let count = found.len();
            found.into_iter().nth(index).with_context(|| format!("there are {count}"))
        })
        .await
    }

    /// Waits until no such part is there.
    pub async fn gone(&self, wanted: &Part) -> Result {
        eventually(&format!("the end of {wanted}"), async || match self.parts(wanted).await?.len() {
            0 => Ok(()),
            count => bail!("it is there {count} times"),
        })
        .await
    }

    /// Whether such a part is there now.
    pub async fn has(&self, wanted: &Part) -> Result<bool> {
        Ok(!self.parts(wanted).await?.is_empty())
    }

    /// Clicks a part when it is there and nothing covers it.
    pub async fn click(&self, wanted: &Part) -> Result {
        let what = format!("a click on {wanted}");
        eventually(&what, async || Ok(self.only(wanted).await?.click().await?)).await
    }

    /// What a part says.
    pub async fn text(&self, wanted: &Part) -> Result<String> {
        Ok(self.part(wanted).await?.text().await?)
    }

    /// Waits until a part says exactly this.
    pub async fn says(&self, wanted: &Part, text: &str) -> Result {
        eventually(&format!("{wanted} to say {text:?}"), async || {
            let said = self.only(wanted).await?.text().await?;
            if said.trim() == text { Ok(()) } else { bail!("it says {said:?}") }
        })
        .await
    }

    /// Waits until what a part says contains this.
    pub async fn mentions(&self, wanted: &Part, text: &str) -> Result {
        eventually(&format!("{wanted} to mention {text:?}"), async || {
            let said = self.only(wanted).await?.text().await?;
            if said.contains(text) { Ok(()) } else { bail!("it says {said:?}") }
        })
        .await
    }

    /// Waits until the page says this somewhere.
    pub async fn says_somewhere(&self, text: &str) -> Result {
        eventually(&format!("the page to say {text:?}"), async || {
            let said = self.all_text().await?;
            if said.contains(text) { Ok(()) } else { bail!("it says {said:?}") }
        })
        .await
    }

    /// Replaces what a field holds, as typing or pasting does.
    pub async fn fill(&self, field: &Part, text: &str) -> Result {
        self.click(field).await?;
        self.run::<()>("document.activeElement.select()", vec![]).await?;
        match text {
            "" => self.press('\u{e003}').await,
            text => self.insert(text).await,
        }
    }

    /// Types a text where the focus is. Any script; WebDriver's own typing knows no emoji.
    pub async fn insert(&self, text: &str) -> Result {
        self.devtools("Input.insertText", json!({ "text": text })).await?;
        Ok(())
    }

    /// Presses one key where the focus is.
    pub async fn press(&self, key: char) -> Result {
        self.chord(&[key]).await
    }

    /// Presses keys together, the last of them last.
    pub async fn chord(&self, keys: &[char]) -> Result {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in keys {
            actions = actions.then(KeyAction::Down { value: *value });
        }
        for value in keys.iter().rev() {
            actions = actions.then(KeyAction::Up { value: *value });
        }
        Ok(self.client.perform_actions(actions).await?)
    }

    /// Types character by character, by keys.
    pub async fn type_keys(&self, text: &str) -> Result {
        for key in text.chars() {
            self.press(key).await?;
        }
        Ok(())
    }

    /// The role and the name of what has the focus.
    pub async fn focused(&self) -> Result<(String, String)> {
        self.run("return [role(document.activeElement), name(document.activeElement)]", vec![]).await
    }

    /// What the browser's accessibility tree has for a part.
    pub async fn computed(&self, wanted: &Part) -> Result<(String, String)> {
        let element = self.part(wanted).await?.element_id();
        let role = self.client.issue_cmd(Extension::computed(&element, "computedrole")).await?;
        let name = self.client.issue_cmd(Extension::computed(&element, "computedlabel")).await?;
        Ok((serde_json::from_value(role)?, serde_json::from_value(name)?))
    }

    /// Makes the view this large, in CSS pixels.
    pub async fn resize(&self, width: u32, height: u32) -> Result {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        eventually("the new width", async || {
            let now: u32 = self.run("return innerWidth", vec![]).await?;
            if now == width { Ok(()) } else { bail!("it is {now}") }
        })
        .await
    }

    /// What the system prefers: `light` or `dark`.
    pub async fn prefer_colours(&self, colours: &str) -> Result {
        let features = json!([{ "name": "prefers-color-scheme", "value": colours }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await?;
        self.settled().await
    }

    /// Takes the network away, or gives it back.
    pub async fn set_offline(&self, offline: bool) -> Result {
        let conditions =
            json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.devtools("Network.emulateNetworkConditions", conditions).await?;
        Ok(())
    }

    /// Closes the browser with all its tabs.
    pub(crate) async fn close(&self) -> Result {
        Ok(self.client.clone().close().await?)
    }

    /// A picture of what is seen.
    pub async fn screenshot(&self) -> Result<Vec<u8>> {
        Ok(self.client.screenshot().await?)
    }

    /// All text of the page.
    pub async fn all_text(&self) -> Result<String> {
        self.run("return document.body.innerText", vec![]).await
    }

    /// From now on requests may fail: the server is killed, or the network is gone. Errors in the
    /// console that are no failed requests still count.
    pub fn forgive_requests(&self) {
        self.forgives_requests.store(true, Ordering::Relaxed);
    }

    /// What went wrong since this was last asked.
    pub async fn troubles(&self) -> Result<Vec<Trouble>> {
        let console = self.client.issue_cmd(Extension::log("browser")).await?;
        let network = self.client.issue_cmd(Extension::log("performance")).await?;
        let mut troubles = trouble::in_console(&console);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.extend(requests.failed(&network)?);
        if self.forgives_requests.load(Ordering::Relaxed) {
            troubles.retain(|trouble| matches!(trouble, Trouble::Console(_)));
        }
        Ok(troubles)
    }
}

/// The chat, in a person's steps.
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

    /// Waits until the screen has exactly these messages: each once, in this order, and no other. How
    /// far they have come does not matter; see [`Page::has_stored`].
    pub async fn reads(&self, texts: &[impl AsRef<str>]) -> Result {
        let wanted: Vec<String> = texts.iter().map(|text| tidy(text.as_ref())).collect();
        eventually("the messages of the room, once and in order", async || {
            let messages = self.messages().await?;
            let waiting = [" ", self.names.waiting].concat();
            let said: Vec<&str> = messages
                .iter()
                .map(|message| message.said.strip_suffix(&waiting).unwrap_or(&message.said))
                .collect();
            if said == wanted { Ok(()) } else { bail!("the screen has {} messages: {said:?}", said.len()) }
        })
        .await
    }

    /// Waits until a message is on the screen, without any mark that it is still on its way.
    pub async fn has_stored(&self, text: &str) -> Result {
        eventually(&format!("{text:?} to be stored"), async || {
            let messages = self.messages().await?;
            let message =
                messages.iter().find(|message| message.said.contains(text)).context("it is not there")?;
            let is_marked =
                [self.names.waiting, self.names.not_sent].iter().any(|mark| message.said.contains(mark));
            if is_marked { bail!("it says {:?}", message.said) } else { Ok(()) }
        })
        .await
    }

    /// Opens the person's menu.
    pub async fn open_menu(&self) -> Result {
        self.click(&beginning("button", self.names.menu)).await
    }

    /// Chooses a radio button of the person's menu and closes the menu.
    pub async fn choose(&self, choice: &str) -> Result {
        self.open_menu().await?;
        self.click(&part("radio", choice)).await?;
        self.press(keys::ESCAPE).await?;
        self.gone(&any("radio")).await
    }
}

/// White space as the page's finder has it.
fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
