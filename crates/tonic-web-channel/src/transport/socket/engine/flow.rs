//! Flow-control windows, of a stream or of the connection.
//!
//! Specification: RFC 9113, section 5.2 and 6.9.

use super::frame::{MAX_31_BITS, Violation};

/// The size of every window before a setting or an update changes it.
pub(super) const INITIAL_WINDOW: u32 = 65_535;

/// The part of a window from which on it is announced that it has opened. What is read beyond the last announcement is not
/// in the window until more comes, so a half would leave a distant server with little more than a half to send.
const ANNOUNCED_PART: i64 = 8;

/// The bytes that the server accepts. Negative after it has made its initial window smaller.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendWindow(i64);

impl SendWindow {
    pub(super) fn new(size: u32) -> Self {
        Self(size.into())
    }

    pub(super) fn available(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    pub(super) fn take(&mut self, bytes: usize) {
        self.0 -= bytes as i64;
    }

    /// Changes the size by an update, or by a new initial size.
    pub(super) fn change(&mut self, by: i64) -> Result<(), Violation> {
        self.0 += by;
        if self.0 > MAX_31_BITS.into() {
            return Err(Violation::flow("a window is larger than HTTP/2 allows"));
        }
        Ok(())
    }
}

/// The bytes that are accepted of the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveWindow {
    /// The most bytes that wait for their reader.
    size: i64,
    /// Bytes that wait for their reader.
    held: i64,
    /// Bytes that the server may send.
    open: i64,
}

impl ReceiveWindow {
    /// A window of `size` bytes, of which the server knows `open`.
    pub(super) fn new(size: u32, open: u32) -> Self {
        Self { size: size.into(), held: 0, open: open.into() }
    }

    /// Bytes came. They are held until they are released.
    pub(super) fn receive(&mut self, bytes: usize) -> Result<(), Violation> {
        self.held += bytes as i64;
        self.open -= bytes as i64;
        if self.open < 0 {
            return Err(Violation::flow("the server sent more than the window allows"));
        }
        Ok(())
    }

    /// The reader took bytes, or nobody wants them.
    pub(super) fn release(&mut self, bytes: usize) {
        self.held -= bytes as i64;
    }

    #[cfg(test)]
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// The increment to announce now, if it is a part of the window: so there are few updates.
    pub(super) fn update(&mut self) -> Option<u32> {
        let due = self.size - self.held - self.open;
        if due <= 0 || due < self.size / ANNOUNCED_PART {
            return None;
        }
        self.open += due;
        u32::try_from(due).ok()
    }
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests {
    use super::*;

    #[test]
    fn send_window_may_be_negative() {
        let mut window = SendWindow::new(10);
        window.take(8);
        window.change(-5).unwrap();
        assert_eq!(window.available(), 0);
        window.change(4).unwrap();
        assert_eq!(window.available(), 1);
        assert!(window.change(i64::from(MAX_31_BITS)).is_err());
    }

    #[test]
    fn receive_window_opens_for_what_was_read() {
        let mut window = ReceiveWindow::new(100, 100);
        window.receive(100).unwrap();
        assert_eq!(window.update(), None);
        window.release(11);
        assert_eq!(window.update(), None);
        window.release(1);
        assert_eq!(window.update(), Some(12));
        assert_eq!(window.update(), None);
        window.receive(12).unwrap();
        assert!(window.receive(1).is_err());
    }

    #[test]
    fn window_that_is_read_to_its_end_is_nearly_open() {
        const SIZE: i64 = 1 << 20;
        // A message of 64 KiB, of which sixteen do not fit.
        const PIECE: i64 = 65_545;
        let mut window = ReceiveWindow::new(SIZE as u32, SIZE as u32);
        for _ in 0..20 {
            // A server that is far away: it sends all that it may before it learns of anything.
            let mut left = window.open;
            assert!(left >= SIZE * 7 / 8, "{left} bytes are open");
            while left > 0 {
                let piece = left.min(PIECE) as usize;
                left -= piece as i64;
                window.receive(piece).unwrap();
                window.release(piece);
                window.update();
            }
        }
    }

    #[test]
    fn window_that_starts_too_large_is_not_announced_until_it_has_shrunk() {
        let mut window = ReceiveWindow::new(100, INITIAL_WINDOW);
        window.receive(65_500).unwrap();
        window.release(65_500);
        assert_eq!(window.update(), Some(65));
    }
}
