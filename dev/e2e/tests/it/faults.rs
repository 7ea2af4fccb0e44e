//! The Greeter's errors when the network between page and server fails.

use e2e::{ENGLISH, Fault, FaultyProxy, Names, Page, Part, Result, part, scenario};

const N: &Names = &ENGLISH;
const SAY_HELLO: &str = "/helloworld.Greeter/SayHello";

fn unary() -> Part {
    part("form", "SayHello")
}

/// A complete HTTP response.
fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    answer_of_length(status, headers, body, body.len())
}

/// A response that announces `length` bytes, and ends after `body`.
fn answer_of_length(status: &str, headers: &str, body: &[u8], length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

const GRPC_WEB: &str = "content-type: application/grpc-web+proto\r\n";

/// `Hello`, in field 1.
const MESSAGE: &[u8] = b"\0\0\0\0\x07\x0a\x05Hello";

fn trailers(block: &[u8]) -> Vec<u8> {
    let length = u32::try_from(block.len()).expect("a short block").to_be_bytes();
    [&[0x80], &length[..], block].concat()
}

async fn shows_error(page: &Page, code: &str, words: &str) -> Result {
    page.click(&part("button", N.say_hello)).await?;
    page.contains_text(&unary(), code).await?;
    page.contains_text(&unary(), words).await
}

#[tokio::test]
async fn every_network_fault_has_its_own_code_and_advice() -> Result {
    let cut_in_message = &MESSAGE[..9];
    let whole = [MESSAGE, &trailers(b"grpc-status: 0\r\n")].concat();
    let cut_in_trailers = &whole[..whole.len() - 4];
    let too_large =
        [&b"\0\x00\x50\0\0"[..], &vec![b'x'; 0x0050_0000], &trailers(b"grpc-status: 0\r\n")].concat();
    let two_messages = [MESSAGE, &whole].concat();
    let bad_details = trailers(b"grpc-status: 5\r\ngrpc-message: gone\r\ngrpc-status-details-bin: !!!\r\n");
    let faults: [(&str, Fault, &str, &str); 10] = [
        (
            "a proxy's 502",
            Fault::Response(answer("502 Bad Gateway", "content-type: text/html\r\n", b"<h1>502</h1>")),
            "14 UNAVAILABLE",
            "answered with HTTP status 502",
        ),
        (
            "a proxy's login page",
            Fault::Response(answer("200 OK", "content-type: text/html\r\n", b"<h1>Sign in</h1>")),
            "2 UNKNOWN",
            "has the type text/html",
        ),
        (
            "a connection that breaks inside a message",
            Fault::Response(answer_of_length("200 OK", GRPC_WEB, cut_in_message, whole.len())),
            "14 UNAVAILABLE",
            "The connection broke",
        ),
        (
            "a body that ends inside a message",
            Fault::Response(answer("200 OK", GRPC_WEB, cut_in_message)),
            "13 INTERNAL",
            "The answer was cut off",
        ),
        (
            "a body that ends inside its trailers",
            Fault::Response(answer("200 OK", GRPC_WEB, cut_in_trailers)),
            "13 INTERNAL",
            "The answer was cut off",
        ),
        (
            "a message over the limit",
            Fault::Response(answer("200 OK", GRPC_WEB, &too_large)),
            "8 RESOURCE_EXHAUSTED",
            "4194304 bytes",
        ),
        (
            "two messages instead of one",
            Fault::Response(answer("200 OK", GRPC_WEB, &two_messages)),
            "12 UNIMPLEMENTED",
            "",
        ),
        (
            "details that are not base64",
            Fault::Response(answer("200 OK", GRPC_WEB, &bad_details)),
            "5 NOT_FOUND",
            "",
        ),
        (
            "a connection closed without an answer",
            Fault::Close,
            "14 UNAVAILABLE",
            "No answer came from the server",
        ),
        ("no fault", Fault::None, "0 OK", "Hello, World!"),
    ];
    scenario(async |world| {
        let proxy = FaultyProxy::start(&world.url(), SAY_HELLO)?;
        let page = world.browser("somebody", Default::default()).await?;
        page.allow_failed_requests();
        page.visit(&format!("{}/greeter", proxy.url())).await?;
        for (name, fault, code, words) in faults {
            println!("{name}");
            proxy.set_fault(fault);
            shows_error(&page, code, words).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_offline_machine_is_named_as_the_cause() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        // Its part is loaded while the network is there.
        page.part(&part("button", N.say_hello)).await?;
        page.allow_failed_requests();
        page.set_offline(true).await?;
        shows_error(&page, "14 UNAVAILABLE", "this device is offline").await?;
        page.set_offline(false).await?;
        shows_error(&page, "0 OK", "Hello, World!").await
    })
    .await
}

#[tokio::test]
async fn a_stopped_server_is_named_until_it_is_back() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        // Its part is loaded while the network is there.
        page.part(&part("button", N.say_hello)).await?;
        page.allow_failed_requests();
        world.kill_server()?;
        shows_error(&page, "14 UNAVAILABLE", "No answer came from the server").await?;
        world.restart_server()?;
        shows_error(&page, "0 OK", "Hello, World!").await
    })
    .await
}
