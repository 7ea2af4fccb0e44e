//! The fields of the streaming card.

use std::time::Duration;

use leptos::prelude::*;
use proto::limits::greeter::{MAX_COUNT, MAX_INTERVAL_MS};

use super::super::{
    field::{Field, TextField},
    input::{InvalidInput, deadline, name, number},
};
use crate::api::StreamOptions;

/// The parameters of a stream.
pub(super) struct StreamParameters {
    pub(super) name: String,
    pub(super) options: StreamOptions,
    pub(super) deadline: Option<Duration>,
}

/// The fields of the form.
#[derive(Clone, Copy)]
pub(super) struct Fields {
    name: Field,
    count: Field,
    interval: Field,
    deadline: Field,
}

impl Fields {
    pub(super) fn new() -> Fields {
        Fields {
            name: Field::new("World"),
            count: Field::new(""),
            interval: Field::new(""),
            deadline: Field::new(""),
        }
    }

    /// Parses the fields. `None` when one is refused, which shows its error.
    pub(super) fn read(self) -> Option<StreamParameters> {
        let name = self.name.read(name)?;
        let count = self.count.read(|input| number(input, 1, MAX_COUNT))?;
        let interval_ms = self.interval.read(|input| number(input, 0, MAX_INTERVAL_MS))?;
        let deadline = self.deadline.read(deadline)?;
        if interval_ms == Some(0) && count.is_none() {
            self.count.refuse(InvalidInput::IntervalNeedsCount);
            return None;
        }
        Some(StreamParameters { name, options: StreamOptions { count, interval_ms }, deadline })
    }
}

/// The inputs.
#[component]
pub(super) fn FieldRow(
    /// The fields.
    fields: Fields,
) -> impl IntoView {
    view! {
        <div class="card__fields">
            <TextField id="stream-name" field=fields.name label=|m| m.name />
            <TextField
                id="stream-count"
                field=fields.count
                label=|m| m.count
                hint=|m| m.count_hint
                numeric=true
            />
            <TextField
                id="stream-interval"
                field=fields.interval
                label=|m| m.interval
                hint=|m| m.interval_hint
                numeric=true
            />
            <TextField
                id="stream-deadline"
                field=fields.deadline
                label=|m| m.deadline
                hint=|m| m.deadline_hint_stream
                numeric=true
            />
        </div>
    }
}
