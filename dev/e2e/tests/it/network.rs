//! Networks and proxies that fail in other ways than by closing connections: the page says so, keeps every word, and comes back.
//!
//! Times are those of the tests with a virtual clock: the load of the machine that runs these is not known.

use std::time::Duration;

use anyhow::ensure;
use e2e::{
    Browser, CHINESE, ENGLISH, Fault, FaultyProxy, Names, Page, Relay, Result, World, eventually, part,
    scenario,
};
use proto::chat::v1::{SubscribeRequest, chat_service_client::ChatServiceClient};
use tonic::{Request, metadata::MetadataValue, transport::Endpoint};

use crate::offline::{KEPT_AT, keeps_message};

const N: &Names = &ENGLISH;

/// Paths of all calls of the chat.
const CHAT: &str = "/chat.v1.ChatService/";
const SUBSCRIBE: &str = "/chat.v1.ChatService/Subscribe";

/// A whole HTTP response of a proxy.
fn answer(status: &str) -> Fault {
    let page = "<h1>proxy</h1>";
    let head = "content-type: text/html\r\nlocation: /sign-in\r\nconnection: close";
    Fault::Response(
        format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {}\r\n\r\n{page}", page.len()).into(),
    )
}

/// Opens the chat at `url` and joins.
async fn join(page: &Page, url: &str) -> Result {
    page.visit(&format!("{url}/")).await?;
    page.join("Ada").await?;
    page.write("before").await?;
    page.shows_stored("before").await
}

/// A proxy that can fail for `method`, and a page behind it that has joined.
async fn behind_a_proxy(world: &mut World, method: &'static str) -> Result<(FaultyProxy, Page)> {
    let proxy = FaultyProxy::start(&world.url(), method)?;
    let ada = world.browser("Ada", Default::default()).await?;
    join(&ada, &proxy.url()).await?;
    Ok((proxy, ada))
}

/// Writes while the server is silent, and waits until the strip says so.
async fn write_into_silence(page: &Page, text: &str) -> Result {
    page.allow_failed_requests();
    page.write(text).await?;
    page.strip_says("The server does not answer. What you write is kept and sent later.").await?;
    page.part(&part("button", "Try now")).await?;
    Ok(())
}

/// Waits until a message that was written into silence is stored and the strip is empty again.
async fn is_delivered(page: &Page, text: &str) -> Result {
    page.shows_stored(text).await?;
    page.strip_is_empty().await
}

#[tokio::test]
async fn a_stopped_server_is_said_and_left() -> Result {
    scenario(async |world| {
        let ada = world.browser("Ada", Default::default()).await?;
        join(&ada, &world.url()).await?;
        world.pause_server()?;
        write_into_silence(&ada, "into silence").await?;
        world.resume_server()?;
        is_delivered(&ada, "into silence").await?;
        ada.shows_messages(&["before", "into silence"]).await
    })
    .await
}

#[tokio::test]
async fn a_silent_network_is_said_and_left() -> Result {
    scenario(async |world| {
        let relay = Relay::start(&world.url())?;
        let ada = world.browser("Ada", Default::default()).await?;
        join(&ada, &relay.url()).await?;
        // Twice: the second time after attempts of a longer time.
        for (text, silence) in [("first", 0), ("second", 15)] {
            relay.fall_silent();
            write_into_silence(&ada, text).await?;
            // Long enough for several attempts on connections that stay dead.
            tokio::time::sleep(Duration::from_secs(silence)).await;
            relay.speak();
            is_delivered(&ada, text).await?;
        }
        ada.shows_messages(&["before", "first", "second"]).await
    })
    .await
}

#[tokio::test]
async fn a_person_who_comes_back_learns_of_a_silent_network() -> Result {
    scenario(async |world| {
        let relay = Relay::start(&world.url())?;
        let ada = world.browser("Ada", Default::default()).await?;
        join(&ada, &relay.url()).await?;
        ada.allow_failed_requests();
        relay.fall_silent();
        ada.run::<()>("dispatchEvent(new Event('focus'))", vec![]).await?;
        ada.strip_says("The server does not answer.").await?;
        relay.speak();
        ada.strip_is_empty().await
    })
    .await
}

#[tokio::test]
async fn a_proxys_answer_refuses_no_message_and_ends_no_session() -> Result {
    scenario(async |world| {
        let (proxy, ada) = behind_a_proxy(world, CHAT).await?;
        ada.allow_failed_requests();
        let mut texts = vec!["before".to_owned()];
        for (status, said) in [
            ("302 Found", "A proxy asks you to sign in again. Reload the page"),
            ("401 Unauthorized", "A proxy asks you to sign in again. Reload the page"),
            ("403 Forbidden", "A proxy asks you to sign in again. Reload the page"),
            ("404 Not Found", "A proxy answered “not found” (HTTP 404)"),
            ("502 Bad Gateway", "A proxy does not reach the server (HTTP 502)."),
            ("503 Service Unavailable", "A proxy does not reach the server (HTTP 503)."),
            ("200 OK", "A web page answered instead of the server."),
        ] {
            proxy.set_fault(answer(status));
            let text = format!("during {status}");
            texts.push(text.clone());
            ada.write(&text).await?;
            ada.strip_says(said).await?;
            ada.part(&part("button", "Try now")).await?;
            // The streams break, too.
            world.kill_server()?;
            world.restart_server()?;
            ada.strip_says(said).await?;
            assert!(!ada.all_text().await?.contains(N.not_sent));
            proxy.set_fault(Fault::None);
            is_delivered(&ada, &text).await?;
        }
        ada.shows_messages(&texts).await
    })
    .await
}

#[tokio::test]
async fn a_page_that_opens_behind_a_failing_proxy_says_so_and_gets_in() -> Result {
    scenario(async |world| {
        let (proxy, ada) = behind_a_proxy(world, CHAT).await?;
        ada.allow_failed_requests();
        for path in ["/", "/greeter", "/settings"] {
            proxy.set_fault(answer("401 Unauthorized"));
            ada.visit(&format!("{}{path}", proxy.url())).await?;
            ada.strip_says("A proxy asks you to sign in again.").await?;
            ada.part(&part("button", "Reload")).await?;
            assert!(!ada.has(&part("form", N.join)).await?, "the session lives");
            proxy.set_fault(Fault::None);
            ada.click(&part("button", "Try now")).await.ok();
            ada.strip_is_empty().await?;
        }
        ada.visit(&format!("{}/", proxy.url())).await?;
        ada.shows_messages(&["before"]).await
    })
    .await
}

#[tokio::test]
async fn a_proxy_that_holds_back_the_stream_is_named() -> Result {
    scenario(async |world| {
        let (proxy, ada) = behind_a_proxy(world, SUBSCRIBE).await?;
        ada.allow_failed_requests();
        proxy.set_fault(Fault::Buffer);
        ada.reload().await?;
        ada.strip_says("a proxy between here and the server holds them back").await?;
        proxy.set_fault(Fault::None);
        ada.shows_messages(&["before"]).await?;
        ada.strip_is_empty().await
    })
    .await
}

#[tokio::test]
async fn attempts_that_a_proxy_holds_back_become_rarer() -> Result {
    scenario(async |world| {
        let (proxy, ada) = behind_a_proxy(world, SUBSCRIBE).await?;
        ada.allow_failed_requests();
        proxy.set_fault(Fault::Buffer);
        let before = proxy.requests().len();
        ada.reload().await?;
        let attempts = eventually("four attempts", async || {
            let attempts = proxy.requests().split_off(before);
            ensure!(attempts.len() >= 4, "{} attempts", attempts.len());
            Ok(attempts)
        })
        .await?;
        // The server keeps a stream for each attempt, and has a limit.
        let pauses: Vec<Duration> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        ensure!(pauses[2] > pauses[1].mul_f64(1.5), "the pauses are {pauses:?}");
        // When the proxy is mended, a person need not wait for the next one.
        proxy.set_fault(Fault::None);
        ada.click(&part("button", "Try now")).await?;
        ada.shows_messages(&["before"]).await?;
        ada.strip_is_empty().await
    })
    .await
}

#[tokio::test]
async fn sentences_in_chinese_have_no_space_between_them() -> Result {
    scenario(async |world| {
        let browser = Browser { language: "zh-CN,zh", ..Browser::default() };
        let page = world.browser("小明", browser).await?.by_names(&CHINESE);
        page.open("/").await?;
        page.join("小明").await?;
        page.part(&part("textbox", CHINESE.message)).await?;
        page.allow_failed_requests();
        world.kill_server()?;
        page.strip_says("无法连接服务器。你写的内容会保存下来，稍后发送。正在重新连接…").await
    })
    .await
}

#[tokio::test]
async fn a_proxy_that_holds_back_the_stream_hides_no_room() -> Result {
    scenario(async |world| {
        let (proxy, ada) = behind_a_proxy(world, SUBSCRIBE).await?;
        keeps_message(&ada, "before").await?;
        ada.allow_failed_requests();
        proxy.set_fault(Fault::Buffer);
        ada.reload().await?;
        ada.shows_messages(&["before"]).await?;
        ada.strip_says(KEPT_AT).await?;
        ada.strip_says("a proxy between here and the server holds them back").await?;
        // Calls pass.
        ada.write("through the proxy").await?;
        ada.shows_stored("through the proxy").await?;
        proxy.set_fault(Fault::None);
        ada.strip_is_empty().await?;
        ada.shows_messages(&["before", "through the proxy"]).await
    })
    .await
}

#[tokio::test]
async fn a_gateway_that_has_the_chat_again_goes_on_with_the_room_that_is_shown() -> Result {
    scenario(async |world| {
        let (proxy, ada) = behind_a_proxy(world, SUBSCRIBE).await?;
        ada.allow_failed_requests();
        let head = "content-type: application/grpc-web+proto\r\ngrpc-status: 12\r\nconnection: close";
        let unknown = format!("HTTP/1.1 200 OK\r\n{head}\r\ncontent-length: 0\r\n\r\n");
        proxy.set_fault(Fault::Response(unknown.into()));
        ada.run::<()>("document.querySelector('.chat-log').isMarked = true", vec![]).await?;
        // The stream breaks.
        world.kill_server()?;
        world.restart_server()?;
        ada.strip_says("This server has no chat.").await?;
        ada.shows_messages(&["before"]).await?;
        proxy.set_fault(Fault::None);
        ada.strip_is_empty().await?;
        let is_same: bool =
            ada.run("return document.querySelector('.chat-log').isMarked ?? false", vec![]).await?;
        ensure!(is_same, "the room was drawn anew");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_strip_is_shown_on_every_view() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        // The Greeter is a module of its own, which is in the browser's cache after this.
        ada.open("/greeter").await?;
        ada.part(&part("form", "SayHello")).await?;
        ada.open("/").await?;
        ada.part(&part("textbox", N.message)).await?;
        ada.allow_failed_requests();
        world.kill_server()?;
        ada.strip_says("Reconnecting").await?;
        ada.click(&part("link", "Greeter")).await?;
        ada.part(&part("form", "SayHello")).await?;
        ada.strip_says("The server cannot be reached. What you write is kept and sent later.").await?;
        ada.part(&part("button", "Try now")).await?;
        world.restart_server()?;
        ada.strip_is_empty().await
    })
    .await
}

#[tokio::test]
async fn a_wrong_report_of_no_network_stops_nobody() -> Result {
    scenario(async |world| {
        let ada = world.browser("Ada", Default::default()).await?;
        let source = "Object.defineProperty(Navigator.prototype, 'onLine', { get: () => false })";
        ada.run_before_pages(source).await?;
        join(&ada, &world.url()).await?;
        ada.strip_is_empty().await
    })
    .await
}

#[tokio::test]
async fn the_seventeenth_stream_says_what_to_do() -> Result {
    scenario(async |world| {
        let ada = world.browser("Ada", Default::default()).await?;
        join(&ada, &world.url()).await?;
        let cookie: MetadataValue<_> = ada.cookie().await?.parse()?;
        ada.visit("about:blank").await?;
        let client = ChatServiceClient::new(Endpoint::new(world.url())?.connect().await?);
        let open = async || {
            let mut request = Request::new(SubscribeRequest::default());
            request.metadata_mut().insert("cookie", cookie.clone());
            client.clone().subscribe(request).await
        };
        let mut streams = Vec::new();
        for _ in 0..16 {
            streams.push(eventually("a stream", async || Ok(open().await?)).await?);
        }
        ada.open("/").await?;
        ada.strip_says("Chinwag is open too many times under your name.").await?;
        streams.clear();
        ada.shows_messages(&["before"]).await?;
        ada.strip_is_empty().await
    })
    .await
}
