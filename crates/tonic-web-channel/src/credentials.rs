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
/// A refusal that comes in the body of a response, as its trailers, is seen in time for a repetition only where the
/// method table says that one message is due ([`Builder::methods`](crate::Builder::methods)). After any other the
/// next call begins with a new token, and this one ends as it was refused.
///
/// The source must not call through the channel that it is for: that call would wait for the token that it is to
/// bring.
///
/// A token is as secret as the connection is: use `https://`, for which a native program switches on the feature
/// `tls`. Cleartext is for one machine, as here.
///
/// ```
/// use tonic_web_channel::Channel;
///
/// # async fn fetch_token() -> Result<String, tonic::Status> { Ok("abc".to_owned()) }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _entered = runtime.enter();
/// let channel = Channel::builder("http://127.0.0.1:50051")
///     .credentials(|| async { Ok(format!("Bearer {}", fetch_token().await?)) })
///     .build()?;
/// # Ok::<(), tonic_web_channel::BuildError>(())
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
                    (Some(Ok(token)), None) => return Ok(token.clone()),
                    (Some(last), Some(refused)) if state.answers > refused => return last.clone(),
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

type Fetching = Shared<BoxFuture<Result<Token, Status>>>;

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
    last: Option<Result<Token, Status>>,
    /// The answer that is being waited for.
    fetching: Option<Confined<Fetching>>,
}

/// A token, and which of the source's answers it is.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) value: HeaderValue,
    pub(crate) answer: u64,
}

impl Credentials {
    pub(crate) fn new(source: impl TokenSource) -> Self {
        Self { source: shared_fn(move |()| source.fetch()), state: Mutex::default() }
    }

    fn fetch(&self, state: &mut State) -> Fetching {
        let answer = state.answers + 1;
        let fetching = state.fetching.get_or_insert_with(|| {
            let fetched = (self.source)(());
            let token: BoxFuture<_> =
                Box::pin(async move { Ok(Token { value: header(&fetched.await?)?, answer }) });
            Confined::new(token.shared())
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
        result
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

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use tokio::sync::Mutex as Gate;

    use super::*;

    fn gated(gate: &Arc<Gate<u32>>) -> Arc<Credentials> {
        let gate = gate.clone();
        Arc::new(Credentials::new(move || {
            let gate = gate.clone();
            async move {
                let mut answers = gate.lock().await;
                *answers += 1;
                Ok(format!("Bearer {answers}"))
            }
        }))
    }

    #[tokio::test]
    async fn a_call_that_leaves_while_it_refreshes_does_not_keep_the_others_waiting() {
        let gate = Arc::new(Gate::new(0));
        let credentials = gated(&gate);
        let closed = gate.clone().lock_owned().await;
        // The first drives the source; the others only wait for it.
        let mut first = Box::pin(credentials.clone().token(None));
        assert!((&mut first).now_or_never().is_none());
        let second = tokio::spawn(credentials.clone().token(None));
        tokio::task::yield_now().await;

        drop(first);
        drop(closed);

        assert_eq!(second.await.unwrap().unwrap().value, "Bearer 1");
    }

    #[tokio::test]
    async fn a_token_keeps_its_number_although_a_newer_one_has_come_by_the_time_it_is_taken() {
        let gate = Arc::new(Gate::new(0));
        let credentials = gated(&gate);
        let closed = gate.clone().lock_owned().await;
        let (mut fast, mut slow) = (credentials.clone().token(None), credentials.clone().token(None));
        assert!((&mut fast).now_or_never().is_none() && (&mut slow).now_or_never().is_none());
        drop(closed);

        let first = fast.await.unwrap();
        let renewed = credentials.clone().token(Some(first.answer)).await.unwrap();
        let late = slow.await.unwrap();

        assert_eq!((late.value, late.answer), (first.value, first.answer));
        // Refused, it leads to the one that is there, not to another.
        assert_eq!(credentials.token(Some(late.answer)).await.unwrap().answer, renewed.answer);
        assert_eq!(*gate.lock().await, 2);
    }
}
