//! The service: notes in memory, and a stream that follows them.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::notes_server::Notes;
use contract::{AddRequest, AddResponse, Note, WatchRequest, WatchResponse};
use futures_util::{Stream, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

/// A quiet stream sends an empty message this often, so that clients can tell it from a dead one. The
/// subscription's idle timeout is 45 s.
const HEARTBEAT: Duration = Duration::from_secs(15);
const MAX_CHARACTERS: usize = 500;
const MAX_ID_BYTES: usize = 64;

/// All notes since the start of the server.
#[derive(Debug)]
pub struct Board {
    id: String,
    log: watch::Sender<Log>,
}

#[derive(Debug, Default)]
struct Log {
    notes: Vec<Note>,
    /// Index in `notes` by the caller's id.
    by_id: HashMap<String, usize>,
}

impl Default for Board {
    fn default() -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { id: format!("{:x}", started.as_nanos()), log: watch::Sender::default() }
    }
}

#[tonic::async_trait]
impl Notes for Board {
    async fn add(&self, request: Request<AddRequest>) -> Result<Response<AddResponse>, Status> {
        let AddRequest { id, text } = request.into_inner();
        if !(1..=MAX_CHARACTERS).contains(&text.chars().count()) {
            return Err(Status::invalid_argument("a note has 1 to 500 characters"));
        }
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            return Err(Status::invalid_argument("an id has 1 to 64 bytes"));
        }
        let mut note = None;
        self.log.send_if_modified(|log| {
            let known = log.by_id.get(&id).copied();
            let index = known.unwrap_or_else(|| log.append(id, text));
            note = log.notes.get(index).cloned();
            known.is_none()
        });
        Ok(Response::new(AddResponse { note }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let WatchRequest { board, after } = request.into_inner();
        let after = if board == self.id { usize::try_from(after).unwrap_or(usize::MAX) } else { 0 };
        let reader = Reader { board: self.id.clone(), log: self.log.subscribe(), after, is_first: true };
        let stream = stream::unfold(reader, |mut reader| async move {
            let response = reader.next().await?;
            Some((Ok(response), reader))
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

/// A caller's position in the log.
struct Reader {
    board: String,
    log: watch::Receiver<Log>,
    after: usize,
    is_first: bool,
}

impl Reader {
    /// The notes after the position. The first response does not wait, because it names the board.
    async fn next(&mut self) -> Option<WatchResponse> {
        let Self { log, after, .. } = self;
        let wait = if std::mem::take(&mut self.is_first) { Duration::ZERO } else { HEARTBEAT };
        let notes = match tokio::time::timeout(wait, log.wait_for(|log| log.notes.len() > *after)).await {
            Ok(log) => log.ok()?.notes[*after..].to_vec(),
            Err(_) => Vec::new(),
        };
        self.after += notes.len();
        Some(WatchResponse { board: self.board.clone(), notes })
    }
}

impl Log {
    /// Appends a note and returns its index.
    fn append(&mut self, id: String, text: String) -> usize {
        let index = self.notes.len();
        self.notes.push(Note { number: index as u64 + 1, text });
        self.by_id.insert(id, index);
        index
    }
}
