//! A token that all calls share, and one renewal however many calls were refused with it.
//!
//! Inside the retry layer: the first attempt of a call whose token is refused is sent once more with a new one.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, request};
use tonic::body::Body;
use tonic::{Code, Status};

use super::replay_body::{self, ReplayBody};
use super::{CallResult, Layer, ResponseFuture, Service, SharedService, layer};
use crate::body::{CallGuard, early_status};
use crate::context::CallContext;
use crate::maybe_send::{BoxFuture, Confined, MaybeSend, MaybeSync, SharedFn, shared_fn};
use crate::observe::{EventRef, Reporter};
use crate::status;

/// The source of a channel's tokens.
///
/// A function without arguments whose future returns the value of the metadata `authorization`, such as `Bearer abc`, is
/// a source. It is called for the first call, and again when a call with the token has ended with `UNAUTHENTICATED`:
/// once, whatever the number of these calls. Each of them is then repeated once, where its request can be (see
/// [`RetryPolicy`](crate::retry::RetryPolicy)). When the source fails, the calls that wait for it end with its status, and
/// the next call asks it again.
///
/// A refusal in the trailers of a response leads to a repetition only where the method table says that the response has
/// one message ([`Builder::methods`](crate::Builder::methods)). After any other, only the next call has a new token.
///
/// The source must not call over the channel that it is for: that call would wait for the token that it is to bring. A
/// call that the source awaits ends with `FAILED_PRECONDITION`; one that it moves to another task waits until its
/// deadline. Give the source a channel of its own.
///
/// A token is as secret as the connection: use `https://`, for which a native program enables the feature `tls`.
/// Cleartext is for one machine, as here.
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

/// Sends a token with each attempt.
pub(crate) struct Credentials {
    tokens: Arc<Tokens>,
    inner: SharedService,
}

impl Credentials {
    pub(crate) fn layer(source: impl TokenSource) -> Layer {
        let tokens = Arc::new(Tokens::new(source));
        layer(move |inner| Self { tokens, inner })
    }

    async fn run(&self, request: Request<Body>) -> CallResult {
        let (mut parts, body) = request.into_parts();
        let context = CallContext::of(&parts.extensions);
        // The retry layer reports messages.
        let body = ReplayBody::new(body, replay_body::capacity(&context), 0, Reporter::default());
        let mut token = self.tokens.token(None).await?;
        let mut result = self.send(&mut parts, &body, &token, &context).await;
        if let Some(status) = refusal(&result)
            && !context.options.no_retry
            && body.can_replay()
            && !context.token_renewed.swap(true, Ordering::Relaxed)
        {
            drop(result);
            context.reporter.report(&EventRef::Retrying { delay: Duration::ZERO, status: &status });
            token = self.tokens.token(Some(token.answer)).await?;
            result = self.send(&mut parts, &body, &token, &context).await;
        }
        if refusal(&result).is_some() {
            self.tokens.forget(token.answer);
        }
        let mut response = result?;
        body.settle();
        response.body_mut().attach(Box::new(body));
        let sent_token = SentToken { tokens: self.tokens.clone(), answer: token.answer };
        response.body_mut().attach(Box::new(sent_token));
        Ok(response)
    }

    /// Sends an attempt. Waits for the first frame of its response where that may be a refusal.
    async fn send(
        &self,
        parts: &mut request::Parts,
        body: &ReplayBody,
        token: &Token,
        context: &CallContext,
    ) -> CallResult {
        parts.headers.insert(AUTHORIZATION, token.value.clone());
        if let Some(deadline) = context.deadline {
            deadline.write_remaining(&mut parts.headers);
        }
        let request = Request::from_parts(parts.clone(), body.attempt());
        let mut response = self.inner.clone().call(request).await?;
        if context.expects_one_message() && !context.options.no_retry {
            response.body_mut().peek().await?;
        }
        Ok(response)
    }
}

impl Service for Credentials {
    fn call(self: Arc<Self>, request: Request<Body>) -> ResponseFuture {
        Box::pin(async move { self.run(request).await })
    }
}

/// The status of an attempt whose token was refused.
fn refusal(result: &CallResult) -> Option<Status> {
    let status = match result {
        Ok(response) => status::of_headers(early_status(response)?)?,
        Err(status) => status.clone(),
    };
    (status.code() == Code::Unauthenticated).then_some(status)
}

/// The token of a call whose response is being read.
struct SentToken {
    tokens: Arc<Tokens>,
    answer: u64,
}

impl CallGuard for SentToken {
    fn end(&mut self, status: &Status, _trailers: &HeaderMap) {
        // Too late to repeat the call; the next one does not begin with this token.
        if status.code() == Code::Unauthenticated {
            self.tokens.forget(self.answer);
        }
    }
}

type Source = SharedFn<(), BoxFuture<Result<String, Status>>>;
type Fetching = Shared<BoxFuture<Result<Token, Status>>>;

/// The current token of a channel.
struct Tokens {
    source: Arc<Source>,
    state: Mutex<TokenState>,
}

#[derive(Default)]
struct TokenState {
    /// Number of the source's answers.
    answers: u64,
    /// The source's last answer; `None` also when that is known to be refused.
    last: Option<Result<Token, Status>>,
    /// The answer that calls wait for.
    fetching: Option<Confined<Fetching>>,
}

/// A token, and the number of the source's answer.
#[derive(Clone)]
struct Token {
    value: HeaderValue,
    answer: u64,
}

impl Tokens {
    fn new(source: impl TokenSource) -> Self {
        Self { source: Arc::new(shared_fn(move |()| source.fetch())), state: Mutex::default() }
    }

    /// The current token, or the source's next. With the number of a `refused` one, the token after it: when the source
    /// has answered since, that answer is returned, a failure included.
    async fn token(&self, refused: Option<u64>) -> Result<Token, Status> {
        let fetching = {
            let mut state = self.lock();
            match (&state.last, refused) {
                (Some(Ok(token)), None) => return Ok(token.clone()),
                (Some(last), Some(refused)) if state.answers > refused => return last.clone(),
                _ => self.fetch(&mut state),
            }
        };
        if POLLING.get() == address(&self.source) {
            return Err(Status::failed_precondition(
                "the token source calls over the channel that waits for its token; give it a channel of its own",
            ));
        }
        self.answer(fetching).await
    }

    /// Notes for the next call that `refused` is of no use.
    fn forget(&self, refused: u64) {
        let mut state = self.lock();
        if state.answers == refused {
            state.last = None;
        }
    }

    fn fetch(&self, state: &mut TokenState) -> Fetching {
        let answer = state.answers + 1;
        let fetching = state.fetching.get_or_insert_with(|| {
            let source = self.source.clone();
            let token: BoxFuture<_> =
                Box::pin(async move { Ok(Token { value: header(&fetched(source).await?)?, answer }) });
            Confined::new(token.shared())
        });
        Fetching::clone(fetching)
    }

    async fn answer(&self, fetching: Fetching) -> Result<Token, Status> {
        let result = fetching.clone().await;
        let mut state = self.lock();
        // The first of the waiting calls notes it for all.
        if state.fetching.as_deref().is_some_and(|current| current.ptr_eq(&fetching)) {
            state.fetching = None;
            state.answers += 1;
            state.last = Some(result.clone());
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, TokenState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// Address of the source whose future this thread is polling, 0 for none.
    static POLLING: Cell<usize> = const { Cell::new(0) };
}

/// The answer of `source`. While it is polled, [`POLLING`] has its address, so that a call from inside it is recognised.
async fn fetched(source: Arc<Source>) -> Result<String, Status> {
    let mut fetching = source(());
    poll_fn(|cx| {
        let outer = POLLING.replace(address(&source));
        let polled = fetching.as_mut().poll(cx);
        POLLING.set(outer);
        polled
    })
    .await
}

fn address(source: &Arc<Source>) -> usize {
    Arc::as_ptr(source).addr()
}

fn header(token: &str) -> Result<HeaderValue, Status> {
    let mut value = HeaderValue::try_from(token)
        .map_err(|_| Status::internal("the token has characters that metadata cannot have"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use tokio::sync::Mutex as Gate;

    use super::*;

    fn gated(gate: &Arc<Gate<u32>>) -> Arc<Tokens> {
        let gate = gate.clone();
        Arc::new(Tokens::new(move || {
            let gate = gate.clone();
            async move {
                let mut answers = gate.lock().await;
                *answers += 1;
                Ok(format!("Bearer {answers}"))
            }
        }))
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_during_a_renewal_does_not_stall_the_others() {
        let gate = Arc::new(Gate::new(0));
        let tokens = gated(&gate);
        let closed = gate.clone().lock_owned().await;
        // The first drives the source; the others only wait for it.
        let mut first = Box::pin(tokens.token(None));
        assert!((&mut first).now_or_never().is_none());
        let second = tokens.clone();
        let second = tokio::spawn(async move { second.token(None).await });
        tokio::task::yield_now().await;

        drop(first);
        drop(closed);

        assert_eq!(second.await.unwrap().unwrap().value, "Bearer 1");
    }

    #[tokio::test]
    async fn a_token_keeps_its_number_when_a_newer_one_has_come() {
        let gate = Arc::new(Gate::new(0));
        let tokens = gated(&gate);
        let closed = gate.clone().lock_owned().await;
        let (mut fast, mut slow) = (Box::pin(tokens.token(None)), Box::pin(tokens.token(None)));
        assert!((&mut fast).now_or_never().is_none() && (&mut slow).now_or_never().is_none());
        drop(closed);

        let first = fast.await.unwrap();
        let renewed = tokens.token(Some(first.answer)).await.unwrap();
        let late = slow.await.unwrap();

        assert_eq!((late.value, late.answer), (first.value, first.answer));
        // Refused, it leads to the current token, not to another renewal.
        assert_eq!(tokens.token(Some(late.answer)).await.unwrap().answer, renewed.answer);
        assert_eq!(*gate.lock().await, 2);
    }
}
