//! The keyboard: typing, and keys without a character by WebDriver's code points.

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use harness::browser::Kind;
use serde_json::json;

use crate::{Page, Part, Result};

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
/// Page up.
pub const PAGE_UP: char = '\u{e00e}';
/// Page down.
pub const PAGE_DOWN: char = '\u{e00f}';
/// Home.
pub const HOME: char = '\u{e011}';
/// End.
pub const END: char = '\u{e010}';
/// Space.
pub const SPACE: char = '\u{e00d}';
/// The arrow up.
pub const ARROW_UP: char = '\u{e013}';
/// The arrow down.
pub const ARROW_DOWN: char = '\u{e015}';
/// Deletes the selection. WebDriver has no character for it.
const CLEAR: char = '\u{e003}';

impl Page {
    /// Replaces the content of a field, as typing or pasting does.
    pub async fn fill(&self, field: &Part, text: &str) -> Result {
        self.click(field).await?;
        self.run::<()>("document.activeElement.select()", vec![]).await?;
        match text {
            "" => self.press(CLEAR).await,
            text => self.insert(text).await,
        }
    }

    /// Types a text at the focus. Unlike WebDriver's own typing it supports emoji.
    pub async fn insert(&self, text: &str) -> Result {
        match self.kind {
            Kind::Chromium => self.devtools("Input.insertText", json!({ "text": text })).await.map(drop),
            Kind::Firefox => {
                self.run::<()>("document.execCommand('insertText', false, arguments[0])", vec![json!(text)])
                    .await
            }
        }
    }

    /// Presses one key at the focus.
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

    /// The role and the name of the focused part.
    pub async fn focused(&self) -> Result<(String, String)> {
        self.run("return [role(document.activeElement), name(document.activeElement)]", vec![]).await
    }
}
