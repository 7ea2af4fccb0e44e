//! The servers of the chat that want their turn: they tell the others by messages beside the log, which are lost when nobody
//! listens. Knows the messages, and not by which way they come.

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::TURN;

/// Servers that are listened to; more than a chat has.
const MAX_SERVERS: usize = 64;

/// The first byte of a message, before the server's own mark.
const WANTS: u8 = b'+';
const HAD: u8 = b'-';

/// The marks of the servers that want their turn, and until when.
type Waiting = Vec<(Bytes, Instant)>;

/// The turns as one server knows them.
#[derive(Debug)]
pub(super) struct Turns {
    /// The mark of this server.
    own: String,
    others: watch::Sender<Waiting>,
}

impl Turns {
    /// `own` is a mark that no other server has.
    pub(super) fn new(own: String) -> Self {
        Self { own, others: watch::Sender::default() }
    }

    /// The message that this server wants its turn, or had it.
    pub(super) fn message(&self, wants: bool) -> Bytes {
        let mut message = BytesMut::new();
        message.put_u8(if wants { WANTS } else { HAD });
        message.put_slice(self.own.as_bytes());
        message.freeze()
    }

    /// Takes the message of a server.
    pub(super) fn hear(&self, message: &Bytes) {
        self.others.send_modify(|waiting| take(waiting, message, &self.own, Instant::now()));
    }

    /// Completes when no other server waits. `None`: none does now.
    pub(super) fn of_others(&self) -> Option<impl Future<Output = ()> + use<>> {
        end(&self.others.borrow())?;
        let mut others = self.others.subscribe();
        Some(async move {
            loop {
                let Some(end) = end(&others.borrow_and_update()) else { return };
                // At the end of the time, or of the listening, nobody waits.
                timeout_at(end, others.changed()).await.ok();
            }
        })
    }
}

/// The end of the time of the last one that waits.
fn end(waiting: &Waiting) -> Option<Instant> {
    waiting.iter().map(|(_, end)| *end).filter(|end| *end > Instant::now()).max()
}

/// Records what another server has told.
fn take(waiting: &mut Waiting, message: &Bytes, own: &str, now: Instant) {
    let Some(kind) = message.first() else { return };
    let mark = message.slice(1..);
    if mark == own.as_bytes() {
        return;
    }
    waiting.retain(|(other, end)| *other != mark && *end > now);
    if *kind == WANTS && waiting.len() < MAX_SERVERS {
        waiting.push((mark, now + TURN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_waits_from_its_message_until_the_next_one_or_the_end_of_the_time() {
        let (mut waiting, now) = (Waiting::new(), Instant::now());
        let mut tell = |message: &'static str, at| {
            take(&mut waiting, &Bytes::from_static(message.as_bytes()), "me", at);
            waiting.iter().map(|(mark, _)| String::from_utf8_lossy(mark).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(tell("+a", now), ["a"]);
        assert_eq!(tell("+me", now), ["a"], "its own does not count");
        assert_eq!(tell("", now), ["a"]);
        assert_eq!(tell("+b", now + TURN / 2), ["a", "b"]);
        assert_eq!(tell("-b", now + TURN / 2), ["a"]);
        assert_eq!(tell("+c", now + TURN), ["c"]);
    }
}
