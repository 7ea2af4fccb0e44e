//! The tasks of all readers of the tail, which are woken together. Knows nothing of what they read.
//!
//! A reader registers its waker with one atomic operation, and is woken with one. A `Notify` would lock its list for each
//! of the three, and a reader polls several times for each frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use slab::Slab;

/// Parts with a lock of their own, so that streams open and close while others are woken.
const PARTS: usize = 16;

/// The wakers of all readers.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    parts: [Mutex<Slab<Arc<AtomicWaker>>>; PARTS],
    added: AtomicUsize,
}

impl Wakers {
    /// Adds a reader until the result is dropped.
    pub(super) fn add(self: &Arc<Self>) -> ReaderWaker {
        let part = self.added.fetch_add(1, Ordering::Relaxed) % PARTS;
        let waker = Arc::<AtomicWaker>::default();
        let key = self.parts[part].lock().insert(Arc::clone(&waker));
        ReaderWaker { wakers: Arc::clone(self), part, key, waker }
    }

    /// Wakes all readers.
    pub(super) fn wake(&self) {
        for part in &self.parts {
            for (_, waker) in &*part.lock() {
                waker.wake();
            }
        }
    }
}

/// The waker of one reader.
#[derive(Debug)]
pub(super) struct ReaderWaker {
    wakers: Arc<Wakers>,
    part: usize,
    key: usize,
    waker: Arc<AtomicWaker>,
}

impl ReaderWaker {
    /// Sets the task to wake. Changes that the reader looks for after this call wake it.
    pub(super) fn register(&self, task: &Waker) {
        self.waker.register(task);
    }

    /// Wakes this reader alone.
    pub(super) fn handle(&self) -> Arc<AtomicWaker> {
        Arc::clone(&self.waker)
    }
}

impl Drop for ReaderWaker {
    fn drop(&mut self) {
        self.wakers.parts[self.part].lock().try_remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn all_registered_readers_are_woken_once() {
        let wakers = Arc::<Wakers>::default();
        let count = Arc::<Count>::default();
        let mut readers: Vec<_> = (0..2 * PARTS + 1).map(|_| wakers.add()).collect();
        readers.iter().for_each(|reader| reader.register(&Arc::clone(&count).into()));
        readers.pop();
        wakers.wake();
        wakers.wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 2 * PARTS);
    }
}
