//! The greetings of a stream, drawn at intervals.

use std::{collections::VecDeque, time::Duration};

use leptos::prelude::*;

/// Largest number of greetings in the document.
const MAX_GREETINGS: usize = 1_000;

/// Interval at which greetings are drawn together.
const DRAW_INTERVAL: Duration = Duration::from_millis(50);

/// The newest greetings and the number of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Greetings {
    pub(super) total: u64,
    /// With their positions.
    pub(super) newest: VecDeque<(u64, String)>,
}

impl Greetings {
    fn push(&mut self, message: String) {
        if self.newest.len() == MAX_GREETINGS {
            self.newest.pop_front();
        }
        self.newest.push_back((self.total, message));
        self.total += 1;
    }
}

/// The greetings as they arrive, and as they were drawn last: a fast stream is not drawn for each greeting.
#[derive(Clone, Copy)]
pub(super) struct Screen {
    greetings: StoredValue<Greetings>,
    pub(super) drawn: RwSignal<Greetings>,
    draw_is_due: StoredValue<bool>,
}

impl Screen {
    pub(super) fn new() -> Screen {
        Screen {
            greetings: StoredValue::default(),
            drawn: RwSignal::default(),
            draw_is_due: StoredValue::new(false),
        }
    }

    pub(super) fn clear(self) {
        self.greetings.set_value(Greetings::default());
        self.drawn.set(Greetings::default());
    }

    /// Adds a greeting. Returns the number of all.
    pub(super) fn push(self, message: String) -> u64 {
        let total = self.greetings.try_update_value(|greetings| {
            greetings.push(message);
            greetings.total
        });
        if self.draw_is_due.try_get_value() == Some(false) {
            self.draw_is_due.set_value(true);
            set_timeout(move || self.draw(), DRAW_INTERVAL);
        }
        total.unwrap_or_default()
    }

    /// Does nothing when the card is gone.
    fn draw(self) {
        if let Some(greetings) = self.greetings.try_get_value() {
            self.draw_is_due.set_value(false);
            self.drawn.set(greetings);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_greetings_are_kept_and_all_are_counted() {
        let mut greetings = Greetings::default();
        for number in 0..2_500 {
            greetings.push(number.to_string());
        }
        assert_eq!(greetings.total, 2_500);
        assert_eq!(greetings.newest.len(), MAX_GREETINGS);
        assert_eq!(greetings.newest.front(), Some(&(1_500, "1500".to_owned())));
        assert_eq!(greetings.newest.back(), Some(&(2_499, "2499".to_owned())));
    }
}
