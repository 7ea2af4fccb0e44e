//! Errors that a page does not show: those in the console, and failed requests.

use std::{collections::HashMap, fmt};

use serde_json::Value;

use crate::Result;

/// An error that a working page does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageError {
    /// An error in the console.
    Console(String),
    /// A request without an answer, or with one that is an error.
    Request(String),
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PageError::Console(text) => write!(f, "in the console: {text}"),
            PageError::Request(text) => write!(f, "a request failed: {text}"),
        }
    }
}

/// The errors among the entries of the browser's log.
pub(crate) fn in_console(log: &Value) -> Vec<PageError> {
    let errors = entries(log).filter(|entry| entry["level"] == "SEVERE");
    let found = errors.map(|entry| {
        let message = text(&entry["message"]);
        match entry["source"] == "network" {
            true => PageError::Request(message),
            false => PageError::Console(message),
        }
    });
    found.collect()
}

/// The errors among the lines that Firefox prints. Its own parts print their name first; a page's text or object comes at once.
pub(crate) fn in_output(lines: &[String]) -> Vec<PageError> {
    let errors = lines.iter().filter_map(|line| line.strip_prefix("console.error: "));
    let of_pages = errors.filter(|text| text.starts_with(['"', '(', '[', '{']));
    of_pages.map(|text| PageError::Console(text.to_owned())).collect()
}

/// The requests of a page, by the browser's request id.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    addresses: HashMap<String, String>,
}

impl Requests {
    /// The failed requests in further entries of the performance log. Requests that the page cancelled, and the browser's
    /// own, are left out.
    pub(crate) fn failed(&mut self, log: &Value) -> Result<Vec<PageError>> {
        let mut found = Vec::new();
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
                        let text = format!("{} {}", response["status"], text(&response["url"]));
                        found.push(PageError::Request(text));
                    }
                }
                Some("Network.loadingFailed") if params["canceled"] != true => {
                    if let Some(address) = self.addresses.get(&id) {
                        let text = format!("{} {address}", text(&params["errorText"]));
                        found.push(PageError::Request(text));
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

fn entries(log: &Value) -> impl Iterator<Item = &Value> {
    log.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
