//! Credentials: a token that all calls share, and that is renewed once however many calls were refused with it.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// What a channel asks of its credentials. Behind a trait object, so that a program without any does not carry
/// their code.
pub(crate) trait Tokens: Send + Sync {
    /// The token that is there, or the source's next. With the number of a `refused` one, the token after it: when
    /// the source has answered since, that answer is it, a failure included.
    fn token(self: Arc<Self>, refused: Option<u64>) -> BoxFuture<Result<Token, Status>>;

    /// Notes that `refused` is of no use, for the next call.
    fn forget(&self, refused: u64);
}

impl Tokens for Credentials {
    fn token(self: Arc<Self>, refused: Option<u64>) -> BoxFuture<Result<Token, Status>> {
        Box::pin(async move {
            let fetching = {
                let mut state = self.lock();
                match (&state.last, refused) {
                    (Some(Ok(value)), None) => return Ok(state.token(value)),
                    (Some(last), Some(refused)) if state.answers > refused => {
                        return last.clone().map(|value| state.token(&value));
                    }
                    _ => self.fetch(&mut state),
                }
            };
            self.answered(fetching).await
        })
    }

    fn forget(&self, refused: u64) {
        let mut state = self.lock();
        if state.answers == refused {
            state.last = None;
        }
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

impl State {
    fn token(&self, value: &HeaderValue) -> Token {
        Token { value: value.clone(), answer: self.answers }
    }
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
        result.map(|value| state.token(&value))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn header(token: &str) -> Result<HeaderValue, Status> {
    let mut value = HeaderValue::try_from(token)
        .map_err(|_| Status::internal("the token has characters that metadata cannot hold"))?;
    value.set_sensitive(true);
    Ok(value)
}
