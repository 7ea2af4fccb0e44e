//! A place in the message: its content, its error, and changes of its value.

use grpc_inspect::json_text::{
    Content, JsonError, Path, Step, content_at, remove_value, set_value, value_at,
};
use leptos::prelude::*;

use super::super::{
    json_error_text::json_error_text,
    state::Explorer,
    texts::{Texts, use_texts},
};

/// A place. Cheap enough to clone for each event.
#[derive(Clone)]
pub(super) struct Place {
    explorer: Explorer,
    pub(super) path: Path,
}

impl Place {
    /// The place of a path. Call in a component.
    pub(super) fn new(path: Path) -> Place {
        Place { explorer: expect_context::<Explorer>(), path }
    }

    /// The content, `None` without a value. Changes only when the content does.
    pub(super) fn content(&self) -> Memo<Option<Content>> {
        let (json, path) = (self.explorer.json, self.path.clone());
        Memo::new(move |_| {
            let content = json.with(|json| content_at(json, &path)).ok().flatten();
            content.filter(|content| *content != Content::Null)
        })
    }

    /// The value as it stands in the text, `None` without one.
    pub(super) fn text(&self) -> Memo<Option<String>> {
        let (json, path) = (self.explorer.json, self.path.clone());
        Memo::new(move |_| json.with(|json| value_at(json, &path).ok().flatten().map(str::to_owned)))
    }

    /// The error of this value or of one inside of it, where `inside` is set.
    pub(super) fn error(&self, inside: bool) -> Memo<Option<String>> {
        let (explorer, path) = (self.explorer, self.path.clone());
        let t = use_texts();
        Memo::new(move |_| match explorer.encoded()? {
            Err(error) => sentence(t.get(), &error, &path, inside),
            Ok(_) => None,
        })
    }

    /// Sets the value, a JSON text.
    pub(super) fn set(&self, value: &str) {
        self.change(|json| set_value(json, &self.path, value));
    }

    /// Removes the value.
    pub(super) fn remove(&self) {
        self.change(|json| remove_value(json, &self.path));
    }

    /// A place inside of this one.
    pub(super) fn then(&self, step: Step) -> Place {
        Place { explorer: self.explorer, path: self.path.then(step) }
    }

    /// A text that does not let itself be changed there stays as it is: the JSON editor shows its error.
    fn change(&self, change: impl FnOnce(&str) -> Result<String, JsonError>) {
        let changed = self.explorer.json.with_untracked(|json| change(json));
        if let Ok(changed) = changed {
            self.explorer.json.set(changed);
        }
    }
}

fn sentence(t: &Texts, error: &JsonError, path: &Path, inside: bool) -> Option<String> {
    let is_here = if inside { leads_to(path, &error.path) } else { is_same(path, &error.path) };
    is_here.then(|| json_error_text(t, &error.kind))
}

/// Whether a path of the form leads to the place of an error, or around it.
fn leads_to(path: &Path, error: &Path) -> bool {
    path.0.len() <= error.0.len() && path.0.iter().zip(&error.0).all(|(one, other)| is_same_step(one, other))
}

fn is_same(path: &Path, error: &Path) -> bool {
    path.0.len() == error.0.len() && leads_to(path, error)
}

/// A field has either of its names in a text.
fn is_same_step(one: &Step, other: &Step) -> bool {
    match (one, other) {
        (Step::Item(one), Step::Item(other)) => one == other,
        (Step::Item(_), _) | (_, Step::Item(_)) => false,
        (one, other) => names(one).iter().any(|name| names(other).contains(name)),
    }
}

fn names(step: &Step) -> Vec<&str> {
    match step {
        Step::Key(key) => vec![key],
        Step::Field { json_name, name } => vec![json_name, name],
        Step::Item(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(json_name: &str, name: &str) -> Step {
        Step::Field { json_name: json_name.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn an_error_is_found_under_either_name_of_a_field() {
        let path = Path::root().then(field("roomId", "room_id")).item(1);
        for text in ["$.roomId[1]", "$.room_id[1]"] {
            assert!(is_same(&path, &text.parse().unwrap()), "{text}");
        }
        for text in ["$.room[1]", "$.roomId[2]", "$.roomId", "$.roomId[1].x"] {
            assert!(!is_same(&path, &text.parse().unwrap()), "{text}");
        }
        assert!(leads_to(&path, &"$.room_id[1].x".parse().unwrap()));
        assert!(!leads_to(&path, &"$.room_id".parse().unwrap()));
    }
}
