//! Random calls to `h2`'s server: what each side sends comes whole and in order, and what is not cancelled ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join, join_all};
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::timeout;

use super::super::{Failure, Limits};
use super::peer::{Call, Client, now};
use crate::transport::http2::ErrorCode;

/// A connection and its calls.
#[derive(Clone, Debug)]
struct Plan {
    calls: Vec<CallPlan>,
    /// Windows of the client: of a stream and of the connection.
    client_windows: (u32, u32),
    /// Windows of the server at first, and after a call has come.
    server_windows: [u32; 2],
    server_max_frame: u32,
    max_streams: u32,
    /// Bytes that pass at once.
    cuts: Vec<usize>,
    /// Bytes that are on the way at most.
    pipe: usize,
}

#[derive(Clone, Debug)]
struct CallPlan {
    headers: Vec<(String, Vec<u8>)>,
    request: Vec<usize>,
    response: Vec<usize>,
    /// Whether the server reads the request before it sends the response, or does both at once.
    is_half_duplex: bool,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Complete,
    /// The client drops the call before the head.
    Dropped,
    /// The client drops the call after this many pieces.
    Cancelled(usize),
    /// The server resets the call after this many chunks.
    Reset(usize),
    /// The server answers and reads nothing of the request, so it resets the call without an error.
    Ignored,
}

fn plans() -> impl Strategy<Value = Plan> {
    let window = prop_oneof![1 => 20u32..2_000, 4 => 2_000u32..70_000, 1 => Just(1 << 20)];
    (
        vec(call_plans(), 1..10),
        (prop_oneof![1 => 20u32..2_000, 4 => 2_000u32..100_000, 2 => Just(1 << 20)], 1_000u32..1_000_000),
        // `h2` does not go on where its window becomes smaller under data that was read: it announces nothing.
        (window.clone(), window).prop_map(|(first, more)| [first, first + more.max(20)]),
        prop_oneof![Just(16_384u32), 16_384u32..200_000],
        prop_oneof![1u32..4, Just(100)],
        vec(prop_oneof![1usize..20, 1usize..2_000, Just(100_000)], 1..8),
        prop_oneof![16usize..2_000, Just(200_000)],
    )
        .prop_map(
            |(calls, client_windows, server_windows, server_max_frame, max_streams, cuts, pipe)| Plan {
                calls,
                client_windows,
                server_windows,
                server_max_frame,
                max_streams,
                cuts,
                pipe,
            },
        )
}

fn call_plans() -> impl Strategy<Value = CallPlan> {
    let header = ("x-[a-z0-9-]{0,20}", vec(prop_oneof![0x20u8..0x7f, 0x80u8..=0xff], 0..60));
    let long_header = ("x-[a-z]{1,5}", vec(0x21u8..0x7f, 20_000..30_000));
    let headers = prop_oneof![9 => vec(header, 0..6), 1 => vec(long_header, 1..3)];
    let sizes = || prop_oneof![vec(0usize..300, 0..20), vec(0usize..30_000, 0..3)];
    let end = prop_oneof![
        4 => Just(End::Complete),
        1 => Just(End::Dropped),
        1 => (0usize..5).prop_map(End::Cancelled),
        1 => (0usize..5).prop_map(End::Reset),
        1 => Just(End::Ignored),
    ];
    (headers, sizes(), sizes(), any::<bool>(), end).prop_map(
        |(headers, request, response, is_half_duplex, end)| CallPlan {
            headers,
            request,
            response,
            is_half_duplex,
            end,
        },
    )
}

impl CallPlan {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }
}

/// Chunks of `sizes`, whose bytes tell their place.
fn chunks(sizes: &[usize], seed: usize) -> impl Iterator<Item = Bytes> {
    let starts = sizes.iter().scan(0, |place, size| Some(std::mem::replace(place, *place + size)));
    starts.zip(sizes).map(move |(start, size)| pattern(start, *size, seed))
}

fn pattern(start: usize, size: usize, seed: usize) -> Bytes {
    (start..start + size).map(|place| (place * 31 + place / 256 + seed * 7) as u8).collect()
}

/// The headers of `found` that a plan may have.
fn planned(found: &HeaderMap) -> HeaderMap {
    found
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-"))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect()
}

/// Serves one connection of a plan until it is closed.
async fn serve(io: tokio::io::DuplexStream, plan: Arc<Plan>) {
    let mut connection = Builder::new()
        .initial_window_size(plan.server_windows[0])
        .max_frame_size(plan.server_max_frame)
        .max_concurrent_streams(plan.max_streams)
        .max_header_list_size(1 << 20)
        // They are what is tested, and small ones are.
        .data_frame_budget(usize::MAX)
        .handshake::<_, Bytes>(io)
        .await
        .unwrap();
    let mut has_changed = false;
    // A connection that has failed says so again whenever it is asked, and never waits.
    while let Some(Ok((request, respond))) = connection.accept().await {
        // `h2` sends no settings before the ones before them were acknowledged.
        has_changed = has_changed || connection.set_initial_window_size(plan.server_windows[1]).is_ok();
        let index: usize = request.uri().path()[1..].parse().unwrap();
        let plan = Arc::clone(&plan);
        tokio::spawn(async move { answer(index, &plan.calls[index], request, respond).await });
    }
}

/// Answers a call. Ends early when the client cancels it.
async fn answer(
    index: usize,
    plan: &CallPlan,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Option<()> {
    assert_eq!(planned(request.headers()), plan.headers());
    // Unread when it is dropped, it resets the call without an error.
    let read = read(request.into_body(), plan, index);
    let write = async {
        let mut response = Response::new(());
        *response.headers_mut() = plan.headers();
        let stream = respond.send_response(response, false).ok()?;
        write(stream, plan, index).await
    };
    if plan.end == End::Ignored {
        write.await
    } else if plan.is_half_duplex && !matches!(plan.end, End::Reset(_)) {
        read.await?;
        write.await
    } else {
        let (read, written) = join(read, write).await;
        read.and(written)
    }
}

async fn read(mut body: RecvStream, plan: &CallPlan, index: usize) -> Option<()> {
    let mut length = 0;
    while let Some(bytes) = body.data().await {
        let bytes = bytes.ok()?;
        assert_eq!(bytes, pattern(length, bytes.len(), index));
        length += bytes.len();
        body.flow_control().release_capacity(bytes.len()).unwrap();
    }
    assert_eq!(length, plan.request.iter().sum::<usize>());
    Some(())
}

async fn write(mut stream: SendStream<Bytes>, plan: &CallPlan, index: usize) -> Option<()> {
    for (number, mut chunk) in chunks(&plan.response, index).enumerate() {
        if plan.end == End::Reset(number) {
            break;
        }
        loop {
            stream.reserve_capacity(chunk.len());
            while stream.capacity() == 0 && !chunk.is_empty() {
                std::future::poll_fn(|cx| stream.poll_capacity(cx)).await?.ok()?;
            }
            stream.send_data(chunk.split_to(stream.capacity().min(chunk.len())), false).ok()?;
            if chunk.is_empty() {
                break;
            }
        }
    }
    if matches!(plan.end, End::Reset(_)) {
        stream.send_reset(Reason::INADEQUATE_SECURITY);
        return None;
    }
    stream.send_trailers(plan.headers()).ok()
}

/// Makes a call, and checks what comes. Makes it again when the server refuses it: more calls than it allows
/// may be made before its settings have come, and to `h2` a call that was cancelled is open for a while.
async fn make(client: Client, plan: &CallPlan, index: usize) {
    loop {
        let mut request = Request::post(format!("http://test/{index}")).body(()).unwrap();
        *request.headers_mut() = plan.headers();
        let call = client.open(request).await.expect("the connection takes calls");
        let send = call.send(chunks(&plan.request, index));
        let received = match plan.end {
            End::Dropped => {
                now(send);
                return;
            }
            End::Cancelled(_) => tokio::select! {
                received = receive(&call, plan, index) => received,
                () = async { send.await; std::future::pending().await } => unreachable!(),
            },
            _ => join(send, receive(&call, plan, index)).await.1,
        };
        match received {
            Ok(()) => return,
            Err(failure) => assert_eq!(failure, Failure::Reset(ErrorCode::REFUSED_STREAM)),
        }
    }
}

/// Checks the response to a call. Fails with another failure than the planned one.
async fn receive(call: &Call, plan: &CallPlan, index: usize) -> Result<(), Failure> {
    let reset = Failure::Reset(ErrorCode(12));
    let is_reset = matches!(plan.end, End::Reset(_));
    let head = match call.head().await {
        Ok(head) => head,
        Err(failure) if is_reset && failure == reset => return Ok(()),
        Err(failure) => return Err(failure),
    };
    assert_eq!(planned(head.headers()), plan.headers());
    let mut length = 0;
    let mut pieces = 0;
    let end = loop {
        if plan.end == End::Cancelled(pieces) {
            return Ok(());
        }
        match call.data().await {
            Ok(bytes) => {
                assert_eq!(bytes, pattern(length, bytes.len(), index));
                length += bytes.len();
                pieces += 1;
            }
            Err(end) => break end,
        }
    };
    if is_reset {
        assert_eq!(end, Err(reset));
        return Ok(());
    }
    let trailers = end?;
    assert_eq!(length, plan.response.iter().sum::<usize>());
    assert_eq!(planned(&trailers.unwrap_or_default()), plan.headers());
    Ok(())
}

async fn run(plan: Plan) {
    let plan = Arc::new(plan);
    let (ours, theirs) = tokio::io::duplex(plan.pipe);
    let server = tokio::spawn(serve(theirs, Arc::clone(&plan)));
    let (stream_window, connection_window) = plan.client_windows;
    let client = Client::new(Limits { stream_window, connection_window, max_headers: 1 << 20 });
    let driver = tokio::spawn(client.clone().run(ours, plan.cuts.clone()));
    let calls = plan.calls.iter().enumerate().map(|(index, plan)| make(client.clone(), plan, index));
    join_all(calls).await;
    assert!(!client.engine().has_calls() && client.engine().is_at_rest());
    client.engine().close();
    driver.await.unwrap();
    assert!(client.engine().end.is_none());
    server.await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn calls_carry_what_both_sides_send(plan in plans()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        // The clock stands still while anything can go on.
        let in_time = async { timeout(Duration::from_secs(60), run(plan)).await.expect("nothing goes on") };
        runtime.unwrap().block_on(in_time);
    }
}
