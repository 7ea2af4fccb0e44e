//! Writes what the server is to be sent.

use super::{Engine, frame};

/// Bytes after which no more is written at once.
const MAX_BATCH: usize = 256 * 1024;

/// The longest DATA frame. A longer one would keep other calls waiting.
const MAX_PIECE: usize = 64 * 1024;

impl Engine {
    /// Appends to `out` what can be sent now, up to a batch. Calls take turns of one frame each.
    ///
    /// DATA waits for the server's settings, which a server sends at once. A smaller window than HTTP/2's own would shrink
    /// under what was sent before, and `h2`'s server may then never announce it again.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.control);
        self.streams.turns.hold(false);
        if !self.has_settings {
            return;
        }
        let limit = self.max_frame.min(MAX_PIECE);
        // Calls in a row that wait for the connection's window.
        let mut blocked = 0;
        while out.len() < MAX_BATCH && blocked < self.sending.len() {
            let Some(id) = self.sending.pop_front() else { return };
            let window = self.send_window.available();
            let Some(stream) = self.streams.get(id) else { continue };
            if !stream.can_send(window) {
                stream.is_queued = stream.can_send(usize::MAX);
                if stream.is_queued {
                    self.sending.push_back(id);
                    blocked += 1;
                }
                continue;
            }
            let Some((bytes, is_last)) =
                self.streams.change(id, |stream| stream.take_unsent(limit.min(window)))
            else {
                continue;
            };
            frame::put_data(out, id, &bytes, is_last);
            self.send_window.take(bytes.len());
            self.quiet_frames = self.quiet_frames.min(0);
            blocked = 0;
            if let Some(stream) = self.streams.get(id) {
                stream.is_queued = false;
            }
            self.queue(id);
        }
    }
}
