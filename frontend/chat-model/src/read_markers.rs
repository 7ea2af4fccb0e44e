//! The times at which each room's read marker may be sent to the server.

use std::collections::HashMap;

use crate::room::RoomLog;

/// Pause after a read marker was stored, in milliseconds.
const PAUSE_MS: f64 = 1_000.0;

/// Pause after a read marker could not be stored, in milliseconds.
const RETRY_MS: f64 = 5_000.0;

/// The time from which each room's read marker may be sent again, by the page's monotonic clock in milliseconds; infinite while a call
/// is running.
#[derive(Debug, Default)]
pub(crate) struct ReadMarkers(HashMap<String, f64>);

impl ReadMarkers {
    /// Takes the read markers to send now: rooms and sequence numbers.
    pub(crate) fn take_due(&mut self, rooms: &[RoomLog], now_ms: f64) -> Vec<(String, u64)> {
        let mut due = Vec::new();
        for room in rooms {
            let Some(seq) = room.unsent_read_seq() else { continue };
            if self.0.get(room.id()).is_none_or(|next_ms| now_ms >= *next_ms) {
                self.0.insert(room.id().to_owned(), f64::INFINITY);
                due.push((room.id().to_owned(), seq));
            }
        }
        due
    }

    /// A call has ended.
    pub(crate) fn finish(&mut self, room_id: String, succeeded: bool, now_ms: f64) {
        self.0.insert(room_id, now_ms + if succeeded { PAUSE_MS } else { RETRY_MS });
    }

    /// Milliseconds until the next read marker is due; `None` when none waits.
    pub(crate) fn due_in_ms(&self, rooms: &[RoomLog], now_ms: f64) -> Option<f64> {
        rooms
            .iter()
            .filter(|room| room.unsent_read_seq().is_some())
            .filter_map(|room| self.0.get(room.id()).map(|next_ms| next_ms - now_ms))
            .filter(|left_ms| left_ms.is_finite())
            .min_by(f64::total_cmp)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
