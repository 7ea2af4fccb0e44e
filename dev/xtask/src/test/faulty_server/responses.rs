//! The responses of the faulty server by the word in the path. Some are correct, for comparison.

use grpc_wire::message;
use grpc_wire::web::TRAILERS;

use super::Request;

/// The handling of a request.
pub(super) enum Action<'a> {
    /// The bytes of a response.
    Whole(Vec<u8>),
    /// The bytes of a response, each part written separately.
    Pieces(Vec<Vec<u8>>),
    /// The start of a response, and the connection is closed.
    ThenCut(Vec<u8>),
    /// The start of a response, and nothing more until the client disconnects.
    ThenHang(&'a str, Vec<u8>),
    /// The first response once the client of [`ThenHang`](Self::ThenHang) of this name has connected, the second when
    /// none does.
    WhenCome(&'a str, Vec<u8>, Vec<u8>),
    /// The first response once that client has disconnected, the second when it does not.
    WhenGone(&'a str, Vec<u8>, Vec<u8>),
}

const GRPC_WEB: &str = "content-type: application/grpc-web+proto\r\n";
const CORS: &str = "access-control-allow-origin: *\r\naccess-control-expose-headers: *\r\n";
const OK: &[u8] = b"grpc-status: 0\r\n";
/// `grpc-status: 9` and `grpc-message: no`, by gzip.
const TRAILERS_GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03K/*H\xd6-.I,)-\xb6R\xb0\xe4\xe5J\x07\xf1sS\x8b\x8b\x13\xd3S\xad\x14\xf2\xf2y\xb9\x00\x9e\xf4\tV\"\x00\x00\x00";

/// The response to the word at the end of the path, which some follow by a slash and an argument.
///
/// A table of short arms, longer than the limit so that one place lists every word.
pub(super) fn respond(request: &Request) -> Action<'_> {
    let (_, order) = request.path.rsplit_once("/Faults/").unwrap_or_default();
    if request.method == "OPTIONS" {
        return Action::Whole(preflight(order));
    }
    let (word, argument) = order.split_once('/').unwrap_or((order, ""));
    let number: usize = argument.parse().unwrap_or_default();
    let hello = message::encode(0, b"hello");
    let whole = echo(b"hello");
    let not_seen = response(GRPC_WEB, &message::encode(TRAILERS, b"grpc-status: 4"));
    match word {
        "good" => Action::Whole(response(GRPC_WEB, &whole)),
        "headers" => Action::Whole(response(GRPC_WEB, &echo(request.headers.join("\n").as_bytes()))),
        "path" => Action::Whole(response(GRPC_WEB, &echo(request.path.as_bytes()))),
        "body" => Action::Whole(response(GRPC_WEB, &echo(&request.body))),
        "bytewise" => in_chunks(whole.chunks(1)),
        "ordinal" => in_chunks([&echo(request.ordinal.to_string().as_bytes())[..]].into_iter()),
        "trailers-only" => {
            let head = format!("{GRPC_WEB}grpc-status: 5\r\ngrpc-message: not there\r\n");
            Action::Whole(response(&head, b""))
        }
        "repeated" => {
            let head =
                format!("{GRPC_WEB}k-bin: AA==\r\nk-bin: AQ==\r\nx: one\r\nx: two\r\nlatin: caf\u{e9}\r\n");
            // Header values are Latin-1.
            let latin = |text: String| text.chars().map(|c| c as u8).collect::<Vec<_>>();
            let block = message::encode(TRAILERS, b"grpc-status:0\r\nX: a\r\nx: b\r\nk-bin: AA==, AQ==");
            let head = latin(head_of("200 OK", &head, Some(block.len()), CORS));
            Action::Whole([&head[..], &block].concat())
        }
        "compressed-trailers" => {
            let head = format!("{GRPC_WEB}grpc-encoding: gzip\r\n");
            Action::Whole(response(&head, &message::encode(TRAILERS | message::COMPRESSED, TRAILERS_GZIP)))
        }
        "text" => Action::Whole(response(
            "content-type: application/grpc-web-text\r\n",
            // Two padded parts: the message, and the trailers.
            b"AAAAAAVoZWxsbw==gAAAABBncnBjLXN0YXR1czogMA0K",
        )),
        "bad-gateway" => {
            Action::Whole(other("502 Bad Gateway", "content-type: text/html\r\n", b"<h1>502</h1>"))
        }
        "status" => Action::Whole(other(&format!("{number} Whatever"), "", b"")),
        "page" => Action::Whole(other("200 OK", "content-type: text/html\r\n", b"<h1>Log in</h1>")),
        "redirect" => Action::Whole(other("302 Found", "location: /Faults/page\r\n", b"")),
        "no-cors" => {
            Action::Whole([head_of("200 OK", GRPC_WEB, Some(whole.len()), "").into(), whole].concat())
        }
        "hidden-status" => {
            let head = format!("{GRPC_WEB}grpc-status: 5\r\n");
            let cors = "access-control-allow-origin: *\r\n";
            Action::Whole(head_of("200 OK", &head, Some(0), cors).into())
        }
        "nothing" => Action::Whole(response(GRPC_WEB, b"")),
        "truncated-message" => Action::Whole(response(GRPC_WEB, &whole[..8])),
        "truncated-trailers" => Action::Whole(response(GRPC_WEB, &whole[..whole.len() - 4])),
        "cut-message" => Action::ThenCut(start(&whole[..8])),
        "cut-trailers" => Action::ThenCut(start(&whole[..whole.len() - 4])),
        "refuse" => Action::ThenCut(Vec::new()),
        "large-prefix" => Action::ThenHang("large-prefix", start(b"\0\x7f\xff\xff\xff....")),
        "hang" => Action::ThenHang(argument, Vec::new()),
        "hang-streaming" => Action::ThenHang(argument, start(&hello)),
        "hang-complete" => Action::ThenHang(argument, start(&whole)),
        "come" => Action::WhenCome(argument, response(GRPC_WEB, &whole), not_seen),
        "gone" => Action::WhenGone(argument, response(GRPC_WEB, &whole), not_seen),
        "small-messages" => Action::Whole(response(GRPC_WEB, &stream(b"ten bytes.", number))),
        "large-messages" => Action::Whole(response(GRPC_WEB, &stream(&[7; 64 * 1024], number))),
        _ => Action::Whole(response(GRPC_WEB, &message::encode(TRAILERS, b"grpc-status: 12\r\n"))),
    }
}

fn stream(message: &[u8], count: usize) -> Vec<u8> {
    [&message::encode(0, message).repeat(count)[..], &message::encode(TRAILERS, OK)].concat()
}

fn echo(message: &[u8]) -> Vec<u8> {
    stream(message, 1)
}

fn preflight(order: &str) -> Vec<u8> {
    let allowed = "access-control-allow-methods: POST\r\naccess-control-allow-headers: *\r\naccess-control-max-age: 60\r\n";
    let cors = if order == "no-cors" { "" } else { CORS };
    head_of("204 No Content", allowed, None, cors).into()
}

fn response(headers: &str, body: &[u8]) -> Vec<u8> {
    other("200 OK", headers, body)
}

fn other(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [head_of(status, headers, Some(body.len()), CORS).as_bytes(), body].concat()
}

/// The start of a response whose `content-length` promises more.
fn start(body: &[u8]) -> Vec<u8> {
    [head_of("200 OK", GRPC_WEB, Some(body.len() + 1_000), CORS).as_bytes(), body].concat()
}

/// Each chunk is written separately, and so is the end.
fn in_chunks<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Action<'static> {
    let head = head_of("200 OK", &format!("{GRPC_WEB}transfer-encoding: chunked\r\n"), None, CORS);
    let chunks = chunks.map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    Action::Pieces(std::iter::once(head.into()).chain(chunks).chain([b"0\r\n\r\n".to_vec()]).collect())
}

fn head_of(status: &str, headers: &str, length: Option<usize>, cors: &str) -> String {
    let length = length.map(|length| format!("content-length: {length}\r\n")).unwrap_or_default();
    format!("HTTP/1.1 {status}\r\n{cors}{headers}{length}\r\n")
}
