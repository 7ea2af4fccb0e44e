//! Compares the logs, and the readers' streams, with the acknowledgements. It does no I/O.

use proto::chat::v1 as pb;
use proto::chat::v1::event::Body;

/// Findings that are kept in words; all are counted.
const MAX_FINDINGS: usize = 10;

/// A sender's own record of its messages.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// [`pb::User::id`].
    pub(crate) user_id: String,
    /// Index of its room.
    pub(crate) room: usize,
    /// The acknowledged sequence number of each of its messages.
    pub(crate) acknowledged: Vec<u64>,
    /// Number of messages that it has tried to send.
    pub(crate) attempted: u64,
}

/// The text of a message.
pub(crate) fn text(sender: u32, number: u64) -> String {
    format!("{sender} {number}")
}

/// The operation id of a message.
pub(crate) fn operation_id(sender: u32, number: u64) -> Vec<u8> {
    [u64::from(sender).to_be_bytes(), number.to_be_bytes()].concat()
}

/// The content of an event, small enough to keep a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// A message by its text.
    Message { sender: u32, number: u32 },
    /// The creation of the room.
    Room,
    /// Anything that no client of this run has sent.
    Foreign,
}

/// Reads an event.
pub(crate) fn written(event: &pb::Event) -> Written {
    match &event.body {
        Some(Body::RoomCreated(_)) => Written::Room,
        Some(Body::MessagePosted(posted)) => message(&posted.text).unwrap_or(Written::Foreign),
        None => Written::Foreign,
    }
}

fn message(text: &str) -> Option<Written> {
    let (sender, number) = text.split_once(' ')?;
    Some(Written::Message { sender: sender.parse().ok()?, number: number.parse().ok()? })
}

/// The faults that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Acknowledged messages that are missing or have another sequence number, and gaps between numbers.
    pub(crate) lost: u64,
    /// Messages and numbers that occur more than once.
    pub(crate) twice: u64,
    /// Messages before an earlier one of the same sender, and descending numbers and times.
    pub(crate) out_of_order: u64,
    /// Events that nobody has sent.
    pub(crate) foreign: u64,
    /// The first findings in words.
    pub(crate) findings: Vec<String>,
}

impl Verdict {
    /// Whether there are no faults.
    pub(crate) fn is_good(&self) -> bool {
        self.lost + self.twice + self.out_of_order + self.foreign == 0
    }

    /// Adds the faults of `other`.
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.twice += other.twice;
        self.out_of_order += other.out_of_order;
        self.foreign += other.foreign;
        other.findings.into_iter().for_each(|what| self.add_finding(what));
    }

    fn add_finding(&mut self, what: String) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(what);
        }
    }
}

/// Reads the log of one room from its beginning.
#[derive(Debug)]
pub(crate) struct LogCheck<'a> {
    room: usize,
    senders: &'a [Sent],
    /// For each sender, the sequence number of each message in the log; 0 is none.
    places: Vec<Vec<u64>>,
    /// For each sender, the highest message number in the log.
    highest: Vec<Option<u32>>,
    last_seq: u64,
    /// Time of the last event.
    last_ms: i64,
    log: Vec<Written>,
    verdict: Verdict,
}

impl<'a> LogCheck<'a> {
    /// For the room with this index.
    pub(crate) fn new(room: usize, senders: &'a [Sent]) -> Self {
        let places = senders.iter().map(|sent| vec![0; sent.attempted as usize]).collect();
        let highest = vec![None; senders.len()];
        Self {
            room,
            senders,
            places,
            highest,
            last_seq: 0,
            last_ms: 0,
            log: Vec::new(),
            verdict: Verdict::default(),
        }
    }

    /// Checks the next event.
    pub(crate) fn event(&mut self, event: &pb::Event) {
        let written = self.check_author(event, written(event));
        self.check_number(event.seq);
        self.check_time(event);
        match written {
            Written::Message { sender, number } => self.check_message(event.seq, sender as usize, number),
            Written::Room if event.seq == 1 => {}
            Written::Room | Written::Foreign => {
                self.verdict.foreign += 1;
                self.verdict.add_finding(format!("room {}: nobody sent event {}", self.room, event.seq));
            }
        }
        self.log.push(written);
    }

    /// The faults, and the contents of the log.
    pub(crate) fn end(mut self) -> (Verdict, Vec<Written>) {
        for (index, sent) in self.senders.iter().enumerate().filter(|(_, sent)| sent.room == self.room) {
            for (number, (acknowledged, found)) in
                sent.acknowledged.iter().zip(&self.places[index]).enumerate()
            {
                if acknowledged != found {
                    self.verdict.lost += 1;
                    let place = if *found == 0 { "nowhere".to_owned() } else { format!("at {found}") };
                    self.verdict.add_finding(format!(
                        "room {}: message {number} of sender {index} was acknowledged at {acknowledged} and is {place}",
                        self.room
                    ));
                }
            }
        }
        (self.verdict, self.log)
    }

    /// A message is foreign when its sender never tried to send it, or its author or operation id is another one.
    fn check_author(&self, event: &pb::Event, written: Written) -> Written {
        let Written::Message { sender, number } = written else { return written };
        let author = event.author.as_ref().map(|author| author.id.as_str());
        let known = self.senders.get(sender as usize).is_some_and(|sent| {
            sent.room == self.room
                && Some(sent.user_id.as_str()) == author
                && u64::from(number) < sent.attempted
        });
        let is_whole = event.operation_id == operation_id(sender, number.into());
        if known && is_whole { written } else { Written::Foreign }
    }

    fn check_number(&mut self, seq: u64) {
        let due = self.last_seq + 1;
        if seq == due {
            self.last_seq = seq;
            return;
        }
        self.verdict.add_finding(format!("room {}: event {seq} instead of {due}", self.room));
        if seq > due {
            self.verdict.lost += seq - due;
            self.last_seq = seq;
        } else if seq == self.last_seq {
            self.verdict.twice += 1;
        } else {
            self.verdict.out_of_order += 1;
        }
    }

    /// An event is never older than the one before it, whatever the clocks of the servers say.
    fn check_time(&mut self, event: &pb::Event) {
        if event.created_at_ms < self.last_ms {
            self.verdict.out_of_order += 1;
            self.verdict.add_finding(format!(
                "room {}: event {} is older than the one before it",
                self.room, event.seq
            ));
        }
        self.last_ms = event.created_at_ms;
    }

    fn check_message(&mut self, seq: u64, sender: usize, number: u32) {
        let place = &mut self.places[sender][number as usize];
        if *place != 0 {
            self.verdict.twice += 1;
            let first = *place;
            self.verdict.add_finding(format!(
                "room {}: message {number} of sender {sender} is at {first} and at {seq}",
                self.room
            ));
            return;
        }
        *place = seq;
        let before = self.highest[sender].replace(number);
        if before.is_some_and(|before| number < before) {
            self.verdict.out_of_order += 1;
            self.verdict.add_finding(format!(
                "room {}: message {number} of sender {sender} comes after its message {}",
                self.room,
                before.unwrap_or_default()
            ));
        }
    }
}

/// Adds the differences between a room's log and `followed`, the events of that room that a reader received.
pub(crate) fn check_stream(
    verdict: &mut Verdict,
    reader: usize,
    room: usize,
    followed: &[Written],
    log: &[Written],
) {
    if let Some(index) = followed.iter().zip(log).position(|(followed, log)| followed != log) {
        verdict.out_of_order += 1;
        verdict.add_finding(format!(
            "reader {reader} was sent {:?} as event {} of room {room}, and the log has {:?}",
            followed[index],
            index + 1,
            log[index]
        ));
    }
    let (sent, stored) = (followed.len() as u64, log.len() as u64);
    if sent != stored {
        verdict.lost += stored.saturating_sub(sent);
        verdict.foreign += sent.saturating_sub(stored);
        verdict.add_finding(format!(
            "reader {reader} was sent {sent} events of room {room}, and the log has {stored}"
        ));
    }
}

#[cfg(test)]
mod tests;
