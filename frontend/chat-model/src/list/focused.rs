//! The row that has the focus. It stays in the document while others come and go, because a row that is removed or moved loses the focus.

use crate::rows::{Row, RowBody, RowKey, Rows};
use crate::window::Window;

/// The row that has the focus.
#[derive(Debug)]
pub(super) struct Focused {
    key: RowKey,
    seq: Option<u64>,
    /// The row as it was drawn last, for when the log has dropped its message.
    drawn: Option<Row>,
}

impl Focused {
    pub(super) fn new(key: RowKey, seq: Option<u64>) -> Focused {
        Focused { key, seq, drawn: None }
    }

    /// Adds the row to those of the window where it is not among them.
    pub(super) fn keep(&mut self, rows: &mut Vec<Row>, builder: &Rows<'_>, window: Window) {
        let in_window = rows.iter().find(|row| row.key == self.key).cloned();
        let is_in_window = in_window.is_some();
        let row = in_window.or_else(|| builder.of_message(&self.key, self.seq)).or_else(|| self.drawn.take());
        let Some(row) = row else { return };
        if let RowBody::Message(message) = &row.body {
            self.seq = message.seq;
        }
        self.drawn = Some(row.clone());
        if !is_in_window {
            let is_above = self.seq.is_some_and(|seq| seq < window.first);
            // Below the day, as before.
            let above = usize::from(matches!(rows.first(), Some(Row { body: RowBody::Day { .. }, .. })));
            rows.insert(if is_above { above } else { rows.len() }, row);
        }
    }
}
