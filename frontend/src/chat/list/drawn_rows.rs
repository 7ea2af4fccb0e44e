//! The rows in the document, each with a signal for its content.

use std::collections::HashMap;

use chat_model::rows::{Row, RowBody, RowKey};
use leptos::prelude::*;

/// A row in the document: its key stays, its content may change.
#[derive(Clone)]
pub(crate) struct DrawnRow {
    pub(crate) key: RowKey,
    pub(crate) body: ArcRwSignal<RowBody>,
}

/// The signals of the rows in the document, by key.
#[derive(Default)]
pub(super) struct DrawnRows(HashMap<RowKey, ArcRwSignal<RowBody>>);

impl DrawnRows {
    /// Whether the document shows exactly these rows.
    pub(super) fn show(&self, rows: &[Row]) -> bool {
        let is_drawn =
            |row: &Row| self.0.get(&row.key).is_some_and(|body| *body.read_untracked() == row.body);
        rows.len() == self.0.len() && rows.iter().all(is_drawn)
    }

    /// Replaces the rows. A row that stays keeps its signal, which is set when the content changed.
    pub(super) fn replace(&mut self, rows: Vec<Row>) -> Vec<DrawnRow> {
        let mut bodies = HashMap::with_capacity(rows.len());
        let rows = rows
            .into_iter()
            .map(|row| {
                let body = match self.0.remove(&row.key) {
                    Some(body) => {
                        if *body.read_untracked() != row.body {
                            body.set(row.body);
                        }
                        body
                    }
                    None => ArcRwSignal::new(row.body),
                };
                bodies.insert(row.key.clone(), body.clone());
                DrawnRow { key: row.key, body }
            })
            .collect();
        self.0 = bodies;
        rows
    }
}
