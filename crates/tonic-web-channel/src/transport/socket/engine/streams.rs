//! The calls of a connection that are open, or whose response was not read to its end.

use super::frame::{MAX_31_BITS, Violation};
use super::stream::Stream;
use super::turns::Turns;

#[derive(Debug)]
pub(super) struct Streams {
    /// By id, which grows.
    list: Vec<Stream>,
    pub(super) turns: Turns,
    /// The id of the next call.
    next_id: u32,
}

impl Streams {
    pub(super) fn new(limit: usize) -> Self {
        Self { list: Vec::new(), turns: Turns::new(limit), next_id: 1 }
    }

    /// The id for a call, which has a turn. The last one closes the turns.
    pub(super) fn next_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id += 2;
        if self.next_id > MAX_31_BITS {
            self.turns.close();
        }
        id
    }

    #[cfg(test)]
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn skip_to(&mut self, id: u32) {
        self.next_id = id;
    }

    pub(super) fn add(&mut self, stream: Stream) {
        self.list.push(stream);
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Stream> {
        let index = self.index(id)?;
        self.list.get_mut(index)
    }

    /// The stream of a frame. `None` when it is over; then the frame was on its way still.
    pub(super) fn of_frame(&mut self, id: u32) -> Result<Option<&mut Stream>, Violation> {
        if id.is_multiple_of(2) || id >= self.next_id {
            return Err(Violation::protocol("a frame is of a call that was not made"));
        }
        Ok(self.get(id))
    }

    /// Changes a stream. One that closes gives its turn back.
    pub(super) fn change<T>(&mut self, id: u32, change: impl FnOnce(&mut Stream) -> T) -> Option<T> {
        let stream = self.get(id)?;
        let was_closed = stream.is_closed();
        let result = change(stream);
        if !was_closed && stream.is_closed() {
            self.turns.release();
        }
        Some(result)
    }

    /// Removes a stream, which gives its turn back.
    pub(super) fn remove(&mut self, id: u32) -> Option<Stream> {
        let index = self.index(id)?;
        let stream = self.list.remove(index);
        if !stream.is_closed() {
            self.turns.release();
        }
        Some(stream)
    }

    pub(super) fn ids(&self) -> Vec<u32> {
        self.list.iter().map(|stream| stream.id).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn index(&self, id: u32) -> Option<usize> {
        self.list.binary_search_by_key(&id, |stream| stream.id).ok()
    }
}
