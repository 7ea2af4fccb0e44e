//! A client of the contract that checks what it receives.

use std::collections::BTreeMap;

use super::*;

/// A client that checks every number it gets.
#[derive(Default)]
pub(super) struct Client {
    pub(super) rooms: BTreeMap<String, Known>,
    streams: u32,
}

#[derive(Clone, Default)]
pub(super) struct Known {
    epoch: u64,
    last: u64,
    /// Fingerprint of the event `last`.
    fingerprint: u64,
    pub(super) seen: Vec<u64>,
}

impl Client {
    pub(super) fn cursors(&self) -> Vec<ClientCursor> {
        let cursor = |(id, known): (&String, &Known)| ClientCursor {
            room: RoomId::new(id.as_str()),
            epoch: known.epoch,
            seq: known.last,
            fingerprint: known.fingerprint,
        };
        self.rooms.iter().map(cursor).collect()
    }

    pub(super) fn apply(&mut self, frame: Frame) {
        match frame {
            Frame::RoomState(state) => {
                let id = state.room.unwrap().id;
                match pb::Recovery::try_from(state.recovery).unwrap() {
                    pb::Recovery::Fresh => {
                        let known = Known {
                            epoch: state.epoch,
                            last: state.head_seq,
                            fingerprint: state.head_fingerprint,
                            seen: vec![state.head_seq],
                        };
                        assert!(self.rooms.insert(id, known).is_none(), "fresh twice");
                    }
                    pb::Recovery::Full => assert_eq!(self.rooms[&id].epoch, state.epoch),
                    other => panic!("{other:?}"),
                }
            }
            Frame::Events(events) => {
                let last = events.events.last().expect("a frame without events");
                assert_eq!(events.fingerprint, crate::chat::encoding::fingerprint(&last.encode_to_vec()));
                for event in events.events {
                    let known = self.rooms.get_mut(&event.room_id).expect("an event of an unknown room");
                    if event.seq > known.last {
                        assert_eq!(event.seq, known.last + 1, "a gap in {}", event.room_id);
                        (known.last, known.fingerprint) = (event.seq, events.fingerprint);
                        known.seen.push(event.seq);
                    }
                }
            }
            Frame::Hello(_) => self.streams += 1,
            Frame::Heartbeat(beat) => {
                for head in beat.heads {
                    assert!(self.rooms[&head.room_id].last >= head.seq, "the heartbeat shows a lost event");
                }
            }
            Frame::CaughtUp(_) | Frame::ReadMarker(_) => {}
            Frame::Goodbye(goodbye) => panic!("{goodbye:?}"),
        }
    }

    pub(super) fn has_all(&self, heads: &[(String, u64)]) -> bool {
        heads.iter().all(|(id, head)| self.rooms.get(id).is_some_and(|known| known.last >= *head))
    }
}
