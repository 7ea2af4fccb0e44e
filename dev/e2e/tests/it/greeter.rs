//! The Greeter's page and the list of calls.

use anyhow::bail;
use e2e::{ENGLISH, FaultyProxy, Names, Page, Part, Result, any, eventually, part, scenario, start_gateway};
use serde_json::Value;

const N: &Names = &ENGLISH;

fn unary() -> Part {
    part("form", "SayHello")
}

fn streaming() -> Part {
    part("form", "SayHelloStreamReply")
}

fn greetings() -> Part {
    part("log", N.greetings).within(&streaming())
}

/// The greetings on the page.
async fn shown(page: &Page) -> Result<Vec<String>> {
    rows(page, greetings()).await
}

/// The texts of the rows of a log.
async fn rows(page: &Page, log: Part) -> Result<Vec<String>> {
    page.run(
        "return [...find(arguments[0].steps)[0].children].map((p) => p.textContent)",
        vec![serde_json::to_value(log)?],
    )
    .await
}

#[tokio::test]
async fn say_hello_shows_the_greeting() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        page.fill(&part("textbox", N.name).within(&unary()), "世界 🌍").await?;
        page.click(&part("button", N.say_hello)).await?;
        page.has_text(&part("status", "").within(&unary()), "Hello, 世界 🌍!").await?;
        page.contains_text(&unary(), "0 OK").await
    })
    .await
}

#[tokio::test]
async fn a_stream_ends_after_the_requested_number_of_greetings() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        page.fill(&part("textbox", N.name).within(&streaming()), "Ada").await?;
        page.fill(&part("textbox", N.count).within(&streaming()), "25").await?;
        page.fill(&part("textbox", N.interval).within(&streaming()), "5").await?;
        page.click(&part("button", N.start)).await?;
        page.contains_text(&streaming(), "0 OK").await?;
        eventually("25 greetings", async || match shown(&page).await? {
            all if all == ["Hello, Ada!"; 25] => Ok(()),
            all => bail!("there are {}: {all:?}", all.len()),
        })
        .await?;
        page.gone(&part("button", N.cancel)).await
    })
    .await
}

#[tokio::test]
async fn a_cancelled_stream_shows_no_more_greetings() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        page.fill(&part("textbox", N.interval).within(&streaming()), "20").await?;
        page.click(&part("button", N.start)).await?;
        eventually("three greetings", async || match shown(&page).await?.len() {
            0..3 => bail!("fewer"),
            _ => Ok(()),
        })
        .await?;
        page.click(&part("button", N.cancel)).await?;
        page.contains_text(&streaming(), "1 CANCELLED").await?;
        let then = shown(&page).await?.len();
        // Another call takes place, and the cancelled stream does not change.
        page.click(&part("button", N.say_hello)).await?;
        page.contains_text(&unary(), "0 OK").await?;
        let now = shown(&page).await?.len();
        // Greetings from before the click are drawn within 50 ms, which is less than that call took.
        if now > then + 3 {
            bail!("{then} greetings became {now} after the end");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_deadline_ends_a_call_and_a_stream() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        page.fill(&part("textbox", N.deadline).within(&streaming()), "400").await?;
        page.fill(&part("textbox", N.interval).within(&streaming()), "50").await?;
        page.click(&part("button", N.start)).await?;
        page.contains_text(&streaming(), "4 DEADLINE_EXCEEDED").await?;
        let before = shown(&page).await?.len();
        if before < 2 {
            bail!("the deadline came before the greetings");
        }
        page.contains_text(&part("status", "").within(&streaming()), "deadline").await
    })
    .await
}

#[tokio::test]
async fn an_invalid_field_shows_the_reason_and_prevents_the_call() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        let deadline = part("textbox", N.deadline).within(&unary());
        page.fill(&deadline, "soon").await?;
        page.click(&part("button", N.say_hello)).await?;
        page.contains_text(&unary(), "Enter a whole number, 1 to").await?;
        let invalid = page.part(&deadline).await?.attr("aria-invalid").await?;
        assert_eq!(invalid.as_deref(), Some("true"));
        assert_eq!(page.focused().await?, ("textbox".to_owned(), N.deadline.to_owned()));
        page.click(&part("button", N.calls)).await?;
        // The chat's own question, whether there is a session.
        page.contains_text(&part("region", N.calls), "1 call").await
    })
    .await
}

#[tokio::test]
async fn every_call_is_listed_with_its_method_and_code() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        page.click(&part("button", N.say_hello)).await?;
        page.contains_text(&unary(), "0 OK").await?;
        page.fill(&part("textbox", N.interval).within(&streaming()), "20").await?;
        page.click(&part("button", N.start)).await?;
        eventually("a greeting", async || match shown(&page).await?.len() {
            0 => bail!("none"),
            _ => Ok(()),
        })
        .await?;
        page.click(&part("button", N.cancel)).await?;
        page.contains_text(&streaming(), "1 CANCELLED").await?;

        page.click(&part("button", N.calls)).await?;
        let panel = part("region", N.calls);
        page.contains_text(&panel, "3 calls").await?;
        let rows: Vec<String> = page
            .run(
                "return find(arguments[0].steps).map((row) => tidy(row.innerText))",
                vec![serde_json::to_value(any("listitem").within(&panel))?],
            )
            .await?;
        // The newest first.
        assert!(rows[0].contains("SayHelloStreamReply") && rows[0].contains("CANCELLED"), "{rows:?}");
        assert!(rows[1].contains("SayHello") && rows[1].contains("OK"), "{rows:?}");

        let line = e2e::beginning("button", "").within(&any("listitem").within(&panel));
        page.parts(&line).await?[1].click().await?;
        // Request and response, decoded and as bytes, and the command that repeats the call.
        page.contains_text(&panel, r#""name": "World""#).await?;
        page.contains_text(&panel, r#""message": "Hello, World!""#).await?;
        page.contains_text(&panel, "0a 05 57 6f 72 6c 64").await?;
        let read_out: String =
            page.run("return tidy(document.querySelector('.hex__bytes').textContent)", vec![]).await?;
        assert_eq!(read_out, "Flags: 00 Length: 00 00 00 07 Message: 0a 05 57 6f 72 6c 64");
        page.contains_text(&panel, "grpcurl").await?;
        page.contains_text(&panel, r#"-d '{"name":"World"}'"#).await?;
        page.press(e2e::keys::ESCAPE).await?;
        page.gone(&panel).await?;
        assert_eq!(page.focused().await?.1, page.computed(&part("button", N.calls)).await?.1);
        Ok(())
    })
    .await
}

/// Notes in `window.sent` the headers of the calls, as the browser gets them.
const NOTE_HEADERS: &str = "
    const real = window.fetch;
    window.fetch = (request, init) => {
        if (String(request.url ?? request).endsWith('/SayHello')) {
            window.sent = Object.fromEntries(new Headers(init?.headers ?? request.headers));
        }
        return real.call(window, request, init);
    };";

#[tokio::test]
async fn the_calls_show_the_headers_that_were_sent() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        page.part(&unary()).await?;
        page.run::<()>(NOTE_HEADERS, vec![]).await?;
        page.fill(&part("textbox", N.deadline).within(&unary()), "30000").await?;
        page.click(&part("button", N.say_hello)).await?;
        page.contains_text(&unary(), "0 OK").await?;
        page.click(&part("button", N.calls)).await?;
        let panel = part("region", N.calls);
        let line = e2e::beginning("button", "").within(&any("listitem").within(&panel));
        page.part_of(&line, 0).await?.click().await?;
        page.contains_text(&panel, "Request metadata").await?;
        let (shown, sent): (Value, Value) = page
            .run(
                "const rows = [...document.querySelector('#calls .metadata').children];
                 const shown = Object.fromEntries(rows.map((row) => [...row.children].map((part) => part.textContent)));
                 return [shown, window.sent]",
                vec![],
            )
            .await?;
        assert_eq!(shown, sent);
        assert_eq!(shown["content-type"], "application/grpc-web+proto");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_refused_input_drops_the_old_result_and_moves_nothing() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        page.click(&part("button", N.say_hello)).await?;
        page.contains_text(&unary(), "Hello, World!").await?;
        let place = "return find([{ role: 'button', name: 'Say hello' }])[0].getBoundingClientRect().top";
        let before: f64 = page.run(place, vec![]).await?;
        page.fill(&part("textbox", N.deadline).within(&unary()), "0").await?;
        page.click(&part("button", N.say_hello)).await?;
        page.contains_text(&unary(), "Enter a whole number").await?;
        assert!(!page.text(&unary()).await?.contains("Hello, World!"));
        assert_eq!(page.run::<f64>(place, vec![]).await?, before);
        page.fill(&part("textbox", N.deadline).within(&unary()), "").await?;
        page.fill(&part("textbox", N.name).within(&unary()), " ").await?;
        page.click(&part("button", N.say_hello)).await?;
        page.contains_text(&unary(), "Enter a name.").await
    })
    .await
}

#[tokio::test]
async fn a_refused_input_drops_the_messages_of_the_call_before() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        let count = part("textbox", N.count).within(&streaming());
        page.fill(&count, "3").await?;
        page.click(&part("button", N.start)).await?;
        page.contains_text(&streaming(), "0 OK").await?;
        page.fill(&count, "many").await?;
        page.click(&part("button", N.start)).await?;
        page.contains_text(&streaming(), "Enter a whole number").await?;
        eventually("no greetings", async || match shown(&page).await?.len() {
            0 => Ok(()),
            left => bail!("{left} stay"),
        })
        .await?;

        send_name(&page, &names(), "Ada").await?;
        // The call runs, so its messages stay.
        send_name(&page, &names(), "").await?;
        page.contains_text(&names(), "Enter a name.").await?;
        shows(&page, &names(), &["Sent Ada"]).await?;
        page.click(&part("button", N.finish).within(&names())).await?;
        page.contains_text(&names(), "0 OK").await?;
        send_name(&page, &names(), "").await?;
        page.contains_text(&names(), "Enter a name.").await?;
        shows(&page, &names(), &[]).await
    })
    .await
}

#[tokio::test]
async fn a_running_stream_shows_its_duration_and_rate() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        assert!(!page.text(&streaming()).await?.contains("Status"), "there is no status before a call");
        page.fill(&part("textbox", N.interval).within(&streaming()), "20").await?;
        page.click(&part("button", N.start)).await?;
        for fact in ["Running…", "/s"] {
            page.contains_text(&streaming(), fact).await?;
        }
        let is_primary =
            "return find([{ role: 'button', name: 'Start' }])[0].classList.contains('button--primary')";
        assert!(!page.run::<bool>(is_primary, vec![]).await?);
        page.click(&part("button", N.cancel)).await?;
        page.contains_text(&streaming(), "1 CANCELLED").await?;
        assert!(page.run::<bool>(is_primary, vec![]).await?);
        Ok(())
    })
    .await
}

fn names() -> Part {
    part("form", "SayHelloClientStream")
}

pub(super) fn conversation() -> Part {
    part("form", "SayHelloBidiStream")
}

/// The messages of a card, each with its direction.
async fn messages(page: &Page, card: &Part) -> Result<Vec<String>> {
    rows(page, part("log", N.exchange).within(card)).await
}

pub(super) async fn shows(page: &Page, card: &Part, expected: &[&str]) -> Result {
    eventually("the messages", async || match messages(page, card).await? {
        found if found == expected => Ok(()),
        found => bail!("there are {found:?} instead of {expected:?}"),
    })
    .await
}

pub(super) async fn send_name(page: &Page, card: &Part, name: &str) -> Result {
    page.fill(&part("textbox", N.name).within(card), name).await?;
    page.click(&part("button", N.send_name).within(card)).await
}

#[tokio::test]
async fn names_are_sent_one_by_one_and_greeted_together() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        send_name(&page, &names(), "Ada").await?;
        send_name(&page, &names(), "Grace").await?;
        shows(&page, &names(), &["Sent Ada", "Sent Grace"]).await?;
        assert_eq!(page.focused().await?, ("textbox".to_owned(), N.name.to_owned()));

        page.click(&part("button", N.finish).within(&names())).await?;
        let greeting = "Received Hello, Ada and Grace!";
        shows(&page, &names(), &["Sent Ada", "Sent Grace", greeting]).await?;
        page.contains_text(&names(), "0 OK").await?;
        page.contains_text(&names(), "a WebSocket, because fetch cannot send a stream").await
    })
    .await
}

#[tokio::test]
async fn each_name_of_a_conversation_is_greeted_before_the_next() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        send_name(&page, &conversation(), "Ada").await?;
        shows(&page, &conversation(), &["Sent Ada", "Received Hello, Ada!"]).await?;
        send_name(&page, &conversation(), "世界").await?;
        let all = ["Sent Ada", "Received Hello, Ada!", "Sent 世界", "Received Hello, 世界!"];
        shows(&page, &conversation(), &all).await?;
        page.contains_text(&conversation(), "Running").await?;

        page.click(&part("button", N.finish).within(&conversation())).await?;
        page.contains_text(&conversation(), "0 OK").await?;
        page.gone(&part("button", N.cancel)).await
    })
    .await
}

#[tokio::test]
async fn a_conversation_ends_when_it_is_cancelled_or_late() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/greeter").await?;
        send_name(&page, &conversation(), "Ada").await?;
        shows(&page, &conversation(), &["Sent Ada", "Received Hello, Ada!"]).await?;
        page.click(&part("button", N.cancel).within(&conversation())).await?;
        page.contains_text(&conversation(), "1 CANCELLED").await?;

        page.fill(&part("textbox", N.deadline).within(&conversation()), "400").await?;
        send_name(&page, &conversation(), "Grace").await?;
        page.contains_text(&conversation(), "4 DEADLINE_EXCEEDED").await?;
        shows(&page, &conversation(), &["Sent Grace", "Received Hello, Grace!"]).await
    })
    .await
}

#[tokio::test]
async fn a_conversation_says_that_the_server_went_away() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.allow_failed_requests();
        page.open("/greeter").await?;
        send_name(&page, &conversation(), "Ada").await?;
        shows(&page, &conversation(), &["Sent Ada", "Received Hello, Ada!"]).await?;
        world.kill_server()?;
        page.contains_text(&conversation(), "14 UNAVAILABLE").await?;
        world.restart_server()?;
        send_name(&page, &conversation(), "Grace").await?;
        shows(&page, &conversation(), &["Sent Grace", "Received Hello, Grace!"]).await
    })
    .await
}

#[tokio::test]
async fn a_proxy_that_drops_upgrades_is_named_and_fetch_carries_what_it_can() -> Result {
    scenario(async |world| {
        // It passes no header `connection` on.
        let proxy = FaultyProxy::start(&world.url(), "/none")?;
        world.allow_origin(&proxy.url())?;
        let page = world.browser("somebody", Default::default()).await?;
        page.allow_failed_requests();
        page.visit(&format!("{}/greeter", proxy.url())).await?;

        send_name(&page, &conversation(), "Ada").await?;
        page.contains_text(&conversation(), "14 UNAVAILABLE").await?;
        page.contains_text(&conversation(), "needs a WebSocket, and none could be opened").await?;

        send_name(&page, &names(), "Ada").await?;
        page.click(&part("button", N.finish).within(&names())).await?;
        shows(&page, &names(), &["Sent Ada", "Received Hello, Ada!"]).await?;
        page.contains_text(&names(), "no WebSocket could be opened").await
    })
    .await
}

#[tokio::test]
async fn another_server_is_called_through_the_gateway() -> Result {
    scenario(async |world| {
        let (_gateway, addr) = start_gateway(&format!("--route=helloworld.Greeter={}", world.url()))?;
        let page = world.browser("somebody", Default::default()).await?;
        page.visit(&format!("http://{addr}/greeter")).await?;

        page.click(&part("button", N.say_hello)).await?;
        page.has_text(&part("status", "").within(&unary()), "Hello, World!").await?;
        // By a socket.
        send_name(&page, &conversation(), "Ada").await?;
        shows(&page, &conversation(), &["Sent Ada", "Received Hello, Ada!"]).await?;
        // The chat has no route.
        page.strip_says("This server has no chat.").await?;
        // The gateway ends before the page, which asks again for the chat.
        page.allow_failed_requests();
        Ok(())
    })
    .await
}
