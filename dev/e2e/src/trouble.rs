//! What goes wrong without anybody seeing it: errors in the console and requests that fail.

use std::{collections::HashMap, fmt};

use serde_json::Value;

use crate::Result;

/// Something that does not happen on a page that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// An error in the console.
    Console(String),
    /// A request without an answer, or with one that is an error.
    Request(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Console(text) => write!(f, "in the console: {text}"),
            Trouble::Request(text) => write!(f, "a request failed: {text}"),
        }
    }
}

/// The errors among the entries of the browser's log.
pub(crate) fn in_console(log: &Value) -> Vec<Trouble> {
    let errors = entries(log).filter(|entry| entry["level"] == "SEVERE");
    let troubles = errors.map(|entry| {
        let message = text(&entry["message"]);
        match entry["source"] == "network" {
            true => Trouble::Request(message),
            false => Trouble::Console(message),
        }
    });
    troubles.collect()
}

/// What a page has asked for, by the browser's number of the request.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    addresses: HashMap<String, String>,
}

impl Requests {
    /// The failed requests among further entries of the performance log. One that the page itself
    /// cancelled has not failed, and what the browser asks for on its own account is not looked at.
    pub(crate) fn failed(&mut self, log: &Value) -> Result<Vec<Trouble>> {
        let mut troubles = Vec::new();
        for entry in entries(log) {
            let message: Value = serde_json::from_str(&text(&entry["message"]))?;
            let params = &message["message"]["params"];
            let id = text(&params["requestId"]);
            match message["message"]["method"].as_str() {
                Some("Network.requestWillBeSent") => {
                    self.addresses.insert(id, text(&params["request"]["url"]));
                }
                Some("Network.responseReceived") => {
                    let response = &params["response"];
                    if response["status"].as_u64().is_some_and(|status| status >= 400) {
                        let trouble = format!("{} {}", response["status"], text(&response["url"]));
                        troubles.push(Trouble::Request(trouble));
                    }
                }
                Some("Network.loadingFailed") if params["canceled"] != true => {
                    if let Some(address) = self.addresses.get(&id) {
                        let trouble = format!("{} {address}", text(&params["errorText"]));
                        troubles.push(Trouble::Request(trouble));
                    }
                }
                _ => {}
            }
        }
        Ok(troubles)
    }
}

fn entries(log: &Value) -> impl Iterator<Item = &Value> {
    log.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
