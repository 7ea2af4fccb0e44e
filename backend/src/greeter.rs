//! The Greeter of gRPC's quick starts, with all four kinds of calls. Documented in `helloworld.proto`.

use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use proto::helloworld::server::greeter_server::Greeter;
use proto::helloworld::{HelloReply, HelloRequest};
use proto::limits::greeter::{
    COUNT_KEY, DEFAULT_INTERVAL_MS, INTERVAL_KEY, MAX_COUNT, MAX_INTERVAL_MS, MAX_NAME_CHARS, MAX_NAMES,
    MAX_NAMES_BYTES,
};
use tokio::time::{Instant, sleep_until};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Greetings shorter than this are sent uncompressed, bytes: gzip would make them longer.
const MIN_COMPRESSED_BYTES: usize = 256;

/// Default interval between two greetings.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(DEFAULT_INTERVAL_MS);

/// The Greeter. Stateless.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GreeterService;

#[tonic::async_trait]
impl Greeter for GreeterService {
    type SayHelloStreamReplyStream = BoxStream<'static, Result<HelloReply, Status>>;
    type SayHelloBidiStreamStream = BoxStream<'static, Result<HelloReply, Status>>;

    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        greet(&request.into_inner()).map(respond)
    }

    async fn say_hello_stream_reply(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<Self::SayHelloStreamReplyStream>, Status> {
        let pace = Pace::from_metadata(request.metadata())?;
        let reply = greet(request.get_ref())?;
        Ok(Response::new(pace.repeat(reply).map(Ok).boxed()))
    }

    async fn say_hello_bidi_stream(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<Self::SayHelloBidiStreamStream>, Status> {
        let replies = request.into_inner().and_then(|request| async move { greet(&request) });
        Ok(Response::new(replies.boxed()))
    }

    async fn say_hello_client_stream(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloReply>, Status> {
        let mut requests = request.into_inner();
        let mut names = Names::default();
        while let Some(request) = requests.message().await? {
            check_name(&request.name)?;
            if names.count == MAX_NAMES {
                return Err(Status::resource_exhausted(format!(
                    "at most {MAX_NAMES} names can be greeted at once"
                )));
            }
            if names.bytes + request.name.len() > MAX_NAMES_BYTES {
                return Err(Status::resource_exhausted(format!(
                    "the names are longer than {MAX_NAMES_BYTES} bytes together"
                )));
            }
            names.push(&request.name);
        }
        if names.count == 0 {
            return Err(Status::invalid_argument("no name was sent, so there is nobody to greet"));
        }
        Ok(respond(hello(&names.enumerated())))
    }
}

/// A response that is compressed if it is long enough.
fn respond(reply: HelloReply) -> Response<HelloReply> {
    let is_short = reply.message.len() < MIN_COMPRESSED_BYTES;
    let mut response = Response::new(reply);
    if is_short {
        response.disable_compression();
    }
    response
}

fn greet(request: &HelloRequest) -> Result<HelloReply, Status> {
    check_name(&request.name)?;
    Ok(hello(&request.name))
}

fn hello(whom: &str) -> HelloReply {
    HelloReply { message: format!("Hello, {whom}!") }
}

/// The names of a client-streaming call, joined as they arrive.
#[derive(Debug, Default)]
struct Names {
    /// All names but the last, joined by commas.
    first: String,
    last: String,
    count: usize,
    /// Total length of the names without commas.
    bytes: usize,
}

impl Names {
    fn push(&mut self, name: &str) {
        if self.count > 1 {
            self.first.push_str(", ");
        }
        self.first.push_str(&self.last);
        name.clone_into(&mut self.last);
        self.count += 1;
        self.bytes += name.len();
    }

    /// "Ada", "Ada and Grace", "Ada, Grace and Edsger".
    fn enumerated(self) -> String {
        match self.count {
            0 | 1 => self.last,
            _ => format!("{} and {}", self.first, self.last),
        }
    }
}

fn check_name(name: &str) -> Result<(), Status> {
    // A short byte length proves a short name without counting characters.
    if name.len() <= MAX_NAME_CHARS || name.chars().count() <= MAX_NAME_CHARS {
        return Ok(());
    }
    let sentence = format!("the name is longer than {MAX_NAME_CHARS} characters");
    Err(invalid("name", sentence))
}

fn invalid(field: &str, sentence: String) -> Status {
    let details = ErrorDetails::with_bad_request_violation(field, sentence.clone());
    Status::with_error_details(tonic::Code::InvalidArgument, sentence, details)
}

/// Number and interval of the greetings of `SayHelloStreamReply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    /// `None`: unlimited.
    count: Option<u64>,
    interval: Duration,
}

impl Pace {
    fn from_metadata(metadata: &MetadataMap) -> Result<Self, Status> {
        let count = number(metadata, COUNT_KEY, 1, MAX_COUNT.into())?;
        let interval = number(metadata, INTERVAL_KEY, 0, MAX_INTERVAL_MS.into())?.map(Duration::from_millis);
        if count.is_none() && interval == Some(Duration::ZERO) {
            return Err(invalid(
                INTERVAL_KEY,
                format!("{INTERVAL_KEY} can only be 0 together with {COUNT_KEY}"),
            ));
        }
        Ok(Self { count, interval: interval.unwrap_or(DEFAULT_INTERVAL) })
    }

    /// A stream of `reply`: the first at once, then one per interval.
    fn repeat(self, reply: HelloReply) -> impl futures_util::Stream<Item = HelloReply> {
        let start = Instant::now();
        stream::unfold((0, start), move |(sent, at)| {
            let reply = reply.clone();
            async move {
                if self.count == Some(sent) {
                    return None;
                }
                if sent > 0 && !self.interval.is_zero() {
                    sleep_until(at).await;
                }
                // After a slow reader, the next greeting waits a whole interval again.
                let next = at.max(Instant::now()) + self.interval;
                Some((reply, (sent + 1, next)))
            }
        })
    }
}

/// Parses the number in the metadata `key`; `None` if it is absent.
fn number(metadata: &MetadataMap, key: &str, min: u64, max: u64) -> Result<Option<u64>, Status> {
    let Some(value) = metadata.get(key) else { return Ok(None) };
    value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .filter(|number| (min..=max).contains(number))
        .map(Some)
        .ok_or_else(|| invalid(key, format!("{key} has to be a number from {min} to {max}")))
}
