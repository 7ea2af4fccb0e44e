//! A queue in which those who wait take turns, however much each of them has waiting.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;

/// What waits, by who has it waiting.
pub(super) struct Turns<K, T> {
    waiting: HashMap<K, VecDeque<T>>,
    /// Everybody who has something waiting, whose turn is next first.
    order: VecDeque<K>,
    len: usize,
}

impl<K, T> Default for Turns<K, T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), order: VecDeque::new(), len: 0 }
    }
}

impl<K, T> fmt::Debug for Turns<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").field("len", &self.len).field("askers", &self.order.len()).finish()
    }
}

impl<K: Copy + Eq + Hash, T> Turns<K, T> {
    /// Puts `item` behind everything that waits for `key`.
    pub(super) fn push(&mut self, key: K, item: T) {
        let own = self.waiting.entry(key).or_default();
        if own.is_empty() {
            self.order.push_back(key);
        }
        own.push_back(item);
        self.len += 1;
    }

    /// The oldest item of whoever's turn it is; their next turn comes after everybody else's.
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

    /// How much waits for whoever has most waiting.
    pub(super) fn longest(&self) -> usize {
        self.waiting.values().map(VecDeque::len).max().unwrap_or(0)
    }

    /// Takes out the newest item of whoever has most waiting.
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

    /// How much waits for `key`.
    pub(super) fn waiting_for(&self, key: &K) -> usize {
        self.waiting.get(key).map_or(0, VecDeque::len)
    }

    /// How much waits for all.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_wait_take_turns_and_each_keeps_their_order() {
        let mut turns = Turns::default();
        for number in 0..3 {
            turns.push('a', number);
        }
        turns.push('b', 10);
        turns.push('c', 20);
        turns.push('c', 21);
        assert_eq!((turns.len(), turns.waiting_for(&'a'), turns.waiting_for(&'d')), (6, 3, 0));

        let order: Vec<_> = std::iter::from_fn(|| turns.next()).collect();

        assert_eq!(order, [0, 10, 20, 1, 21, 2]);
        assert_eq!(turns.len(), 0);
        assert!(turns.waiting.is_empty() && turns.order.is_empty(), "nobody is remembered");
    }

    #[test]
    fn the_newest_item_of_whoever_has_most_is_taken_out() {
        let mut turns = Turns::default();
        for (key, number) in [('a', 0), ('b', 10), ('b', 11), ('b', 12)] {
            turns.push(key, number);
        }
        assert_eq!(turns.longest(), 3);
        assert_eq!(turns.take_newest_of_longest(), Some(12));
        assert_eq!((turns.len(), turns.longest()), (3, 2));
        assert_eq!([turns.next(), turns.next(), turns.next()], [Some(0), Some(10), Some(11)]);

        turns.push('c', 20);
        assert_eq!(turns.take_newest_of_longest(), Some(20));
        assert_eq!((turns.next(), turns.len(), turns.longest()), (None, 0, 0));
        assert!(turns.waiting.is_empty() && turns.order.is_empty());
    }
}
