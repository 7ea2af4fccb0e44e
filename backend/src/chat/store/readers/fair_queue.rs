//! A queue that serves its keys in turn, however many items each of them has in it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;

/// Items in order of arrival for each key, and the keys in turn.
pub(super) struct FairQueue<K, T> {
    waiting: HashMap<K, VecDeque<T>>,
    /// The keys that have items; the next one to be served first.
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
    /// Puts `item` behind the other items of `key`.
    pub(super) fn push(&mut self, key: K, item: T) {
        let own = self.waiting.entry(key).or_default();
        if own.is_empty() {
            self.order.push_back(key);
        }
        own.push_back(item);
        self.len += 1;
    }

    /// The oldest item of the key whose turn it is; its next turn comes after those of all other keys.
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

    /// The number of items of the key that has most.
    pub(super) fn longest(&self) -> usize {
        self.waiting.values().map(VecDeque::len).max().unwrap_or(0)
    }

    /// Takes out the newest item of the key that has most.
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

    /// The number of items of `key`.
    pub(super) fn waiting_for(&self, key: &K) -> usize {
        self.waiting.get(key).map_or(0, VecDeque::len)
    }

    /// The number of items of all keys.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_take_turns_and_each_keeps_its_order() {
        let mut queue = FairQueue::default();
        for number in 0..3 {
            queue.push('a', number);
        }
        queue.push('b', 10);
        queue.push('c', 20);
        queue.push('c', 21);
        assert_eq!((queue.len(), queue.waiting_for(&'a'), queue.waiting_for(&'d')), (6, 3, 0));

        let order: Vec<_> = std::iter::from_fn(|| queue.next()).collect();

        assert_eq!(order, [0, 10, 20, 1, 21, 2]);
        assert_eq!(queue.len(), 0);
        assert!(queue.waiting.is_empty() && queue.order.is_empty(), "nobody is remembered");
    }

    #[test]
    fn the_newest_item_of_the_key_that_has_most_is_taken_out() {
        let mut queue = FairQueue::default();
        for (key, number) in [('a', 0), ('b', 10), ('b', 11), ('b', 12)] {
            queue.push(key, number);
        }
        assert_eq!(queue.longest(), 3);
        assert_eq!(queue.take_newest_of_longest(), Some(12));
        assert_eq!((queue.len(), queue.longest()), (3, 2));
        assert_eq!([queue.next(), queue.next(), queue.next()], [Some(0), Some(10), Some(11)]);

        queue.push('c', 20);
        assert_eq!(queue.take_newest_of_longest(), Some(20));
        assert_eq!((queue.next(), queue.len(), queue.longest()), (None, 0, 0));
        assert!(queue.waiting.is_empty() && queue.order.is_empty());
    }
}
