//! The entries of a log: the changes of one group, chained by the hash of the entry before.
//!
//! The chain makes every node a witness. An entry that does not continue the node's own chain is never applied, so a log that has
//! lost or replaced entries is noticed by every node that had applied them.

use bytes::Bytes;
use prost::Message as _;
use proto::chat::log::v1::change::Kind as Change;
use proto::chat::log::v1::{self as pb};
use sha2::{Digest as _, Sha256};

use super::log::{LogId, Position};
use super::random::{self, RandomError};

/// The newest format that this program writes and understands. It is raised for a kind of change or a field that older programs
/// must not leave out.
const FORMAT: u32 = 1;

/// The state of a chain after an entry: SHA-256 of that entry, zeros before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::chat) struct Chain(pub(in crate::chat) [u8; 32]);

impl Chain {
    /// The chain after `entry`.
    pub(super) fn after(entry: &[u8]) -> Self {
        Self(Sha256::digest(entry).into())
    }
}

/// A server that writes entries: random, of one run of it. 0 of one that does not say who it is.
pub(super) type Writer = u64;

/// The content of an entry.
#[derive(Debug)]
pub(super) struct Content {
    /// The server that wrote it.
    pub(super) writer: Writer,
    /// Its changes, in their order.
    pub(super) changes: Vec<Change>,
}

/// Why an entry cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// It was written by a newer program.
    #[error(
        "entry {position} of the log was written by a newer version of this program: upgrade this server"
    )]
    Newer {
        /// The entry.
        position: Position,
    },
    /// It does not continue this database.
    #[error("the log has diverged from this database at entry {position}: {reason}")]
    Diverged {
        /// The entry.
        position: Position,
        /// The difference.
        reason: &'static str,
    },
}

/// Encodes the entry of a group of changes.
pub(super) fn encode(
    log: LogId,
    writer: Writer,
    previous: Chain,
    written_at_ms: i64,
    changes: &mut Vec<pb::Change>,
) -> Result<Bytes, RandomError> {
    let entry = pb::Entry {
        format: FORMAT,
        log_id: log.0.to_vec(),
        entry_id: random::bytes::<16>()?.to_vec(),
        previous: previous.0.to_vec(),
        written_at_ms,
        changes: std::mem::take(changes),
        writer,
    };
    Ok(entry.encode_to_vec().into())
}

/// Decodes an entry that has to continue `previous`.
pub(super) fn decode(
    bytes: &[u8],
    position: Position,
    log: LogId,
    previous: Chain,
) -> Result<Content, EntryError> {
    let diverged = |reason| EntryError::Diverged { position, reason };
    let entry = pb::Entry::decode(bytes).map_err(|_| diverged("it cannot be decoded"))?;
    if entry.log_id != log.0 {
        return Err(diverged("it is of another log"));
    }
    if entry.format > FORMAT {
        return Err(EntryError::Newer { position });
    }
    if entry.previous != previous.0 {
        return Err(diverged("it follows another entry"));
    }
    let kinds = entry.changes.into_iter().map(|change| change.kind.ok_or(EntryError::Newer { position }));
    Ok(Content { writer: entry.writer, changes: kinds.collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = LogId([7; 16]);
    const WRITER: Writer = 6;
    const BEFORE: Chain = Chain([3; 32]);

    fn change() -> pb::Change {
        pb::Change { kind: Some(Change::NameFreed(pb::NameFreed { user: 4 })) }
    }

    fn entry() -> pb::Entry {
        let bytes = encode(LOG, WRITER, BEFORE, 5, &mut vec![change()]).unwrap();
        pb::Entry::decode(bytes).unwrap()
    }

    fn decoded(entry: &pb::Entry) -> Result<Content, String> {
        decode(&entry.encode_to_vec(), 9, LOG, BEFORE).map_err(|error| error.to_string())
    }

    #[test]
    fn entry_has_its_changes_and_an_id_of_its_own() {
        let content = decoded(&entry()).unwrap();
        assert_eq!((content.writer, content.changes), (WRITER, vec![change().kind.unwrap()]));
        assert_ne!(entry().entry_id, entry().entry_id);
        assert_ne!(Chain::after(&entry().encode_to_vec()), BEFORE);
    }

    #[test]
    fn entry_that_does_not_continue_the_chain_is_refused() {
        let diverged = |entry: pb::Entry| {
            let error = decoded(&entry).unwrap_err();
            assert!(error.starts_with("the log has diverged from this database at entry 9"), "{error}");
        };
        diverged(pb::Entry { previous: vec![4; 32], ..entry() });
        diverged(pb::Entry { previous: Vec::new(), ..entry() });
        diverged(pb::Entry { log_id: vec![8; 16], ..entry() });
        let error = decode(&[0xff], 9, LOG, BEFORE).unwrap_err();
        assert!(matches!(error, EntryError::Diverged { position: 9, .. }));
    }

    #[test]
    fn entry_of_a_newer_program_asks_for_an_upgrade() {
        let unknown = pb::Change { kind: None };
        for newer in [
            pb::Entry { format: FORMAT + 1, ..entry() },
            pb::Entry { changes: vec![change(), unknown], ..entry() },
        ] {
            let error = decoded(&newer).unwrap_err();
            assert!(error.contains("upgrade this server"), "{error}");
        }
    }
}
