//! The rows in the document, each with signals for what may change of it.

use std::collections::HashMap;

use chat_model::rows::{Row, RowBody, RowKey};
use leptos::prelude::*;

use super::super::store::set_if_changed;
use crate::i18n::Language;

/// A row in the document: its key stays, its content and its marks may change. Its signals are its own: those of the list would keep the
/// memory of every row that has read them (see [`scoped`](crate::scoped::scoped)), and tell all rows of each change.
#[derive(Clone)]
pub(crate) struct DrawnRow {
    pub(crate) key: RowKey,
    pub(crate) content: ArcRwSignal<RowContent>,
    pub(crate) marks: ArcRwSignal<Marks>,
    /// Whether the actions of the message are shown.
    pub(crate) has_actions: ArcRwSignal<bool>,
}

/// The content of a row, and the language of its dates.
#[derive(Clone, PartialEq)]
pub(crate) struct RowContent {
    pub(crate) body: RowBody,
    pub(crate) language: Language,
}

/// The marks of a message in its list.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) struct Marks {
    /// Whether Tab leads to the message.
    pub(crate) is_active: bool,
    pub(crate) is_highlighted: bool,
}

/// The marked messages of a list.
pub(super) struct Marked {
    /// The message that Tab leads to.
    pub(super) active: Option<RowKey>,
    /// The message under the pointer.
    pub(super) hovered: Option<u64>,
    pub(super) highlighted: Option<u64>,
}

/// The rows in the document, by key.
#[derive(Default)]
pub(super) struct DrawnRows(HashMap<RowKey, DrawnRow>);

impl DrawnRows {
    /// Whether the document shows exactly these rows.
    pub(super) fn show(&self, rows: &[Row]) -> bool {
        let is_drawn = |row: &Row| {
            self.0.get(&row.key).is_some_and(|drawn| drawn.content.read_untracked().body == row.body)
        };
        rows.len() == self.0.len() && rows.iter().all(is_drawn)
    }

    /// Replaces the rows. A row that stays keeps its signals, which are set when they change.
    pub(super) fn replace(&mut self, rows: Vec<Row>, language: Language, marked: &Marked) -> Vec<DrawnRow> {
        let mut before = std::mem::take(&mut self.0);
        let draw = |row: Row| {
            let content = RowContent { body: row.body, language };
            let drawn = match before.remove(&row.key) {
                Some(drawn) => {
                    set_if_changed(drawn.content.clone(), content);
                    drawn
                }
                None => DrawnRow::new(row.key, content),
            };
            drawn.mark(marked);
            drawn
        };
        let rows: Vec<DrawnRow> = rows.into_iter().map(draw).collect();
        self.0 = rows.iter().map(|row| (row.key.clone(), row.clone())).collect();
        rows
    }

    /// Shows other marks, or another language.
    pub(super) fn mark(&self, language: Language, marked: &Marked) {
        for row in self.0.values() {
            if row.content.read_untracked().language != language {
                row.content.update(|content| content.language = language);
            }
            row.mark(marked);
        }
    }
}

impl DrawnRow {
    fn new(key: RowKey, content: RowContent) -> DrawnRow {
        DrawnRow {
            key,
            content: ArcRwSignal::new(content),
            marks: ArcRwSignal::default(),
            has_actions: ArcRwSignal::default(),
        }
    }

    fn mark(&self, marked: &Marked) {
        let seq = match &self.content.read_untracked().body {
            RowBody::Message(message) => message.seq,
            _ => None,
        };
        let is_active = marked.active.as_ref() == Some(&self.key);
        let is_highlighted = seq.is_some() && marked.highlighted == seq;
        set_if_changed(self.marks.clone(), Marks { is_active, is_highlighted });
        set_if_changed(self.has_actions.clone(), seq.is_some() && (is_active || marked.hovered == seq));
    }
}
