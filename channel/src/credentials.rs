//! Credentials: a token that all calls share, and that is renewed once however many calls were refused with it.

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use http::HeaderValue;
use tonic::Status;

use crate::maybe_send::{BoxFuture, Confined, MaybeSend, MaybeSync, SharedFn, shared_fn};

/// Where a channel's token comes from.
///
/// A function without arguments whose future gives the value of the metadata `authorization`, as in
/// `Bearer abc`, is one. It is asked when the first call is made, and again when a call with the token has
/// ended with `UNAUTHENTICATED`: once, whatever the number of calls that did. Then each of these is repeated
/// once, where its request can be (see [`RetryPolicy`](crate::RetryPolicy)). When it fails, the calls that
/// wait for it end with its status, and the next call asks again.
///
/// ```
/// use channel::Channel;
///
/// # async fn fetch_token() -> Result<String, tonic::Status> { Ok("abc".to_owned()) }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _entered = runtime.enter();
/// let channel = Channel::builder("https://127.0.0.1:50051")
///     .credentials(|| async { Ok(format!("Bearer {}", fetch_token().await?)) })
///     .build()?;
/// # Ok::<(), channel::BuildError>(())
/// ```
pub trait TokenSource: MaybeSend + MaybeSync + 'static {
    /// A token that is valid from now on.
    fn fetch(&self) -> BoxFuture<Result<String, Status>>;
}

impl<F, R> TokenSource for F
where
    F: Fn() -> R + MaybeSend + MaybeSync + 'static,
    R: Future<Output = Result<String, Status>> + MaybeSend + 'static,
{
    fn fetch(&self) -> BoxFuture<Result<String, Status>> {
        Box::pin(self())
    }
}

type Fetching = Shared<BoxFuture<Result<HeaderValue, Status>>>;

/// The token of one channel.
pub(crate) struct Credentials {
    source: SharedFn<(), BoxFuture<Result<String, Status>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many times the source has answered.
    answers: u64,
    /// What it answered last; `None` also when that is known to be refused.
    last: Option<Result<HeaderValue, Status>>,
    /// The answer that is being waited for.
    fetching: Option<Confined<Fetching>>,
}

/// A token, and which of the source's answers it is.
pub(crate) struct Token {
    pub(crate) value: HeaderValue,
    pub(crate) answer: u64,
}

impl Credentials {
    pub(crate) fn new(source: impl TokenSource) -> Self {
        Self { source: shared_fn(move |()| source.fetch()), state: Mutex::default() }
    }

    /// The token that is there, or the source's next.
    pub(crate) async fn token(&self) -> Result<Token, Status> {
        let fetching = {
            let mut state = self.lock();
            if let Some(Ok(value)) = &state.last {
                return Ok(Token { value: value.clone(), answer: state.answers });
            }
            self.fetch(&mut state)
        };
        self.answered(fetching).await
    }

    /// The token after `refused`. When the source has answered since, that answer is it, a failure included.
    pub(crate) async fn renew(&self, refused: u64) -> Result<Token, Status> {
        let fetching = {
            let mut state = self.lock();
            if state.answers > refused
                && let Some(last) = &state.last
            {
                let answer = state.answers;
                return last.clone().map(|value| Token { value, answer });
            }
            self.fetch(&mut state)
        };
        self.answered(fetching).await
    }

    /// Notes that `refused` is of no use, for the next call.
    pub(crate) fn forget(&self, refused: u64) {
        let mut state = self.lock();
        if state.answers == refused {
            state.last = None;
        }
    }

    fn fetch(&self, state: &mut State) -> Fetching {
        let fetching = state.fetching.get_or_insert_with(|| {
            let answer = (self.source)(());
            let value: BoxFuture<_> = Box::pin(async move { header(&answer.await?) });
            Confined::new(value.shared())
        });
        Fetching::clone(fetching)
    }

    async fn answered(&self, fetching: Fetching) -> Result<Token, Status> {
        let result = fetching.clone().await;
        let mut state = self.lock();
        // The first of those who waited notes it for all.
        if state.fetching.as_deref().is_some_and(|current| current.ptr_eq(&fetching)) {
            state.fetching = None;
            state.answers += 1;
            state.last = Some(result.clone());
        }
        let answer = state.answers;
        result.map(|value| Token { value, answer })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

fn header(token: &str) -> Result<HeaderValue, Status> {
    let mut value = HeaderValue::try_from(token)
        .map_err(|_| Status::internal("the token has characters that metadata cannot hold"))?;
    value.set_sensitive(true);
    Ok(value)
}
