//! A queue that serves its keys in turn, independent of the number of their items.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;

/// A FIFO queue per key, and the order of the keys.
pub(super) struct FairQueue<K, T> {
    waiting: HashMap<K, VecDeque<T>>,
    /// Keys with items; the next to be served first.
    order: VecDeque<K>,
    len: usize,
}

impl<K, T> Default for FairQueue<K, T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), order: VecDeque::new(), len: 0 }
    }
}

impl<K, T> fmt::Debug for FairQueue<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FairQueue").field("len", &self.len).field("keys", &self.order.len()).finish()
    }
}

impl<K: Copy + Eq + Hash, T> FairQueue<K, T> {
    /// Appends `item` to the queue of `key`.
    pub(super) fn push(&mut self, key: K, item: T) {
        let own = self.waiting.entry(key).or_default();
        if own.is_empty() {
            self.order.push_back(key);
        }
        own.push_back(item);
        self.len += 1;
    }

    /// Removes the oldest item of the next key, and moves that key to the end.
    pub(super) fn next(&mut self) -> Option<T> {
        let key = self.order.pop_front()?;
        let own = self.waiting.get_mut(&key)?;
        let item = own.pop_front();
        if own.is_empty() {
            self.waiting.remove(&key);
        } else {
            self.order.push_back(key);
        }
        self.len -= usize::from(item.is_some());
        item
    }

    /// Number of items of the key with the most items.
    pub(super) fn longest_queue(&self) -> usize {
        self.waiting.values().map(VecDeque::len).max().unwrap_or(0)
    }

    /// Removes the newest item of the key with the most items.
    pub(super) fn take_newest_of_longest(&mut self) -> Option<T> {
        let (key, own) = self.waiting.iter_mut().max_by_key(|(_, own)| own.len())?;
        let (key, item) = (*key, own.pop_back());
        if own.is_empty() {
            self.waiting.remove(&key);
            self.order.retain(|other| *other != key);
        }
        self.len -= usize::from(item.is_some());
        item
    }

    /// Number of items of `key`.
    pub(super) fn len_of(&self, key: &K) -> usize {
        self.waiting.get(key).map_or(0, VecDeque::len)
    }

    /// Total number of items.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_take_turns_and_keep_their_order() {
        let mut queue = FairQueue::default();
        for number in 0..3 {
            queue.push('a', number);
        }
        queue.push('b', 10);
        queue.push('c', 20);
        queue.push('c', 21);
        assert_eq!((queue.len(), queue.len_of(&'a'), queue.len_of(&'d')), (6, 3, 0));

        let order: Vec<_> = std::iter::from_fn(|| queue.next()).collect();

        assert_eq!(order, [0, 10, 20, 1, 21, 2]);
        assert_eq!(queue.len(), 0);
        assert!(queue.waiting.is_empty() && queue.order.is_empty(), "nobody is remembered");
    }

    #[test]
    fn newest_item_of_the_longest_queue_is_removed() {
        let mut queue = FairQueue::default();
        for (key, number) in [('a', 0), ('b', 10), ('b', 11), ('b', 12)] {
            queue.push(key, number);
        }
        assert_eq!(queue.longest_queue(), 3);
        assert_eq!(queue.take_newest_of_longest(), Some(12));
        assert_eq!((queue.len(), queue.longest_queue()), (3, 2));
        assert_eq!([queue.next(), queue.next(), queue.next()], [Some(0), Some(10), Some(11)]);

        queue.push('c', 20);
        assert_eq!(queue.take_newest_of_longest(), Some(20));
        assert_eq!((queue.next(), queue.len(), queue.longest_queue()), (None, 0, 0));
        assert!(queue.waiting.is_empty() && queue.order.is_empty());
    }
}
