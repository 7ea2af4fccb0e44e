//! What goes wrong without anybody seeing it: errors in the console and requests that fail.

use std::fmt;

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

/// The failed requests among the entries of the performance log. One that the page itself cancelled has
/// not failed.
pub(crate) fn in_network(log: &Value) -> Result<Vec<Trouble>> {
    let mut troubles = Vec::new();
    for entry in entries(log) {
        let message: Value = serde_json::from_str(&text(&entry["message"]))?;
        let params = &message["message"]["params"];
        match message["message"]["method"].as_str() {
            Some("Network.loadingFailed") if params["canceled"] != true => {
                troubles.push(Trouble::Request(text(&params["errorText"])));
            }
            Some("Network.responseReceived") => {
                let response = &params["response"];
                if response["status"].as_u64().is_some_and(|status| status >= 400) {
                    troubles.push(Trouble::Request(format!(
                        "{} {}",
                        response["status"],
                        text(&response["url"])
                    )));
                }
            }
            _ => {}
        }
    }
    Ok(troubles)
}

fn entries(log: &Value) -> impl Iterator<Item = &Value> {
    log.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
