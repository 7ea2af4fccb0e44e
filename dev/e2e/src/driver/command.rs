//! Commands that only one of the drivers has.

use fantoccini::wd::WebDriverCompatibleCommand;
use http::Method;
use serde_json::{Value, json};
use url::Url;

#[derive(Debug)]
pub(crate) struct DriverCommand {
    path: String,
    body: Option<Value>,
}

impl DriverCommand {
    /// chromedriver: a command of the Chrome DevTools Protocol.
    pub(crate) fn devtools(command: &str, parameters: Value) -> DriverCommand {
        let body = json!({ "cmd": command, "params": parameters });
        DriverCommand { path: "goog/cdp/execute".to_owned(), body: Some(body) }
    }

    /// chromedriver: the entries of a log since the last request.
    pub(crate) fn log(kind: &str) -> DriverCommand {
        DriverCommand { path: "se/log".to_owned(), body: Some(json!({ "type": kind })) }
    }

    /// geckodriver: scripts run in the page (`content`) or in the browser itself (`chrome`) from now on.
    pub(crate) fn context(context: &str) -> DriverCommand {
        DriverCommand { path: "moz/context".to_owned(), body: Some(json!({ "context": context })) }
    }

    /// A property that the browser computes for an element: `computedrole` or `computedlabel`.
    pub(crate) fn computed(element: &str, what: &str) -> DriverCommand {
        DriverCommand { path: format!("element/{element}/{what}"), body: None }
    }
}

impl WebDriverCompatibleCommand for DriverCommand {
    fn endpoint(
        &self,
        base_url: &Url,
        session_id: Option<&str>,
    ) -> std::result::Result<Url, url::ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        match &self.body {
            Some(body) => (Method::POST, Some(body.to_string())),
            None => (Method::GET, None),
        }
    }
}
