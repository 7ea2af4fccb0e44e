//! Guests who go on sending while servers die: a message that was not acknowledged is sent again, under the same operation id, to the
//! next server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use proto::chat::v1::chat_service_client::ChatServiceClient;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use super::servers::TEXT;
use crate::people::Guest;

/// Guests who send.
const SENDERS: usize = 24;
/// Pause of a guest between two messages, so that the machine is not at its limit.
const THINKING: Duration = Duration::from_millis(20);
/// Pause before a message is sent again.
const RETRY: Duration = Duration::from_millis(20);
/// Time in which everybody has to be acknowledged again.
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two looks at the acknowledgements.
const LOOK: Duration = Duration::from_millis(5);

/// Senders, who stop when this is dropped.
pub(super) struct Traffic {
    acknowledged: Arc<Mutex<Acknowledged>>,
    senders: JoinSet<Result<()>>,
}

/// The acknowledgements.
struct Acknowledged {
    /// The time at which each sender began the newest message that was acknowledged.
    newest: Vec<Instant>,
    /// The time of the newest acknowledgement.
    last: Instant,
    pause: Pause,
}

/// The longest waits since they were forgotten.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pause {
    /// From the first attempt of a message to its acknowledgement.
    pub(super) of_one: Duration,
    /// Without any acknowledgement.
    pub(super) of_all: Duration,
}

impl Traffic {
    /// Some of the guests begin to send, spread over the servers at `urls`.
    pub(super) fn begin(urls: &[String], guests: &[Guest]) -> Result<Self> {
        let now = Instant::now();
        let acknowledged = Acknowledged { newest: vec![now; SENDERS], last: now, pause: Pause::default() };
        let acknowledged = Arc::new(Mutex::new(acknowledged));
        let mut clients = Vec::new();
        for url in urls {
            let endpoint = Endpoint::from_shared(url.clone())?.tcp_nodelay(true);
            clients.push(ChatServiceClient::new(endpoint.connect_lazy()));
        }
        let mut senders = JoinSet::new();
        for (index, guest) in guests.iter().take(SENDERS).enumerate() {
            senders.spawn(send(index, guest.clone(), clients.clone(), acknowledged.clone()));
        }
        Ok(Self { acknowledged, senders })
    }

    /// Forgets the longest waits.
    pub(super) fn forget(&self) {
        let mut acknowledged = lock(&self.acknowledged);
        (acknowledged.pause, acknowledged.last) = (Pause::default(), Instant::now());
    }

    /// Waits until each sender has an acknowledgement of a message that was begun after this call, and returns the longest waits.
    pub(super) async fn goes_on(&mut self) -> Result<Pause> {
        let called = Instant::now();
        loop {
            {
                let acknowledged = lock(&self.acknowledged);
                if acknowledged.newest.iter().all(|begun| *begun > called) {
                    return Ok(acknowledged.pause);
                }
            }
            if let Some(ended) = self.senders.try_join_next() {
                ended??;
            }
            ensure!(called.elapsed() < PATIENCE, "not all senders are acknowledged within {PATIENCE:?}");
            sleep(LOOK).await;
        }
    }
}

fn lock(acknowledged: &Mutex<Acknowledged>) -> MutexGuard<'_, Acknowledged> {
    acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends until the task is dropped.
async fn send(
    index: usize,
    guest: Guest,
    mut clients: Vec<ChatServiceClient<Channel>>,
    acknowledged: Arc<Mutex<Acknowledged>>,
) -> Result<()> {
    let mut server = index;
    loop {
        sleep(THINKING).await;
        let (begun, message) = (Instant::now(), guest.message(TEXT).into_inner());
        loop {
            let turn = server % clients.len();
            match clients[turn].send_message(guest.request(message.clone())).await {
                Ok(_) => break,
                Err(status) if is_refusal(status.code()) => bail!("a send is refused: {status}"),
                Err(_) => server += 1,
            }
            sleep(RETRY).await;
        }
        lock(&acknowledged).add(index, begun);
    }
}

/// Whether the server itself says no, for which no fault is a reason.
fn is_refusal(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument)
}

impl Acknowledged {
    fn add(&mut self, sender: usize, begun: Instant) {
        let now = Instant::now();
        let Pause { of_one, of_all } = self.pause;
        self.pause = Pause { of_one: of_one.max(now - begun), of_all: of_all.max(now - self.last) };
        (self.newest[sender], self.last) = (begun, now);
    }
}
