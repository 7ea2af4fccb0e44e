//! gRPC-Web clients of others, as npm has them, against our server: from its own page and from a page of
//! another origin.

use anyhow::{Context as _, bail};
use e2e::{Browser, Elsewhere, Page, Result, holds, js_clients, scenario};
use serde::Deserialize;
use serde_json::{Value, json};

const OK: u32 = 0;
const INVALID_ARGUMENT: u32 = 3;
const DEADLINE_EXCEEDED: u32 = 4;

/// The longest name that is greeted has a thousand characters.
const NAME_TOO_LONG: usize = 1_001;

/// How a call ended.
#[derive(Debug, Deserialize)]
struct Ended {
    greetings: Vec<String>,
    code: u32,
    message: String,
}

/// A client's calls, by its name in the script.
struct Caller<'a> {
    page: &'a Page,
    server: &'a str,
    client: &'static str,
}

impl Caller<'_> {
    async fn unary(&self, name: &str, options: Value) -> Result<Ended> {
        self.call("unary", name, options).await
    }

    async fn stream(&self, name: &str, options: Value) -> Result<Ended> {
        self.call("stream", name, options).await
    }

    async fn call(&self, kind: &str, name: &str, options: Value) -> Result<Ended> {
        let (client, server, name) = (self.client, json!(self.server), json!(name));
        self.page
            .run_async(&format!(
                "const done = arguments[arguments.length - 1];
                 window.ended = null;
                 interop.{client}.{kind}({server}, {name}, {options}).then(
                     (ended) => {{ window.ended = ended; done(); }},
                     (error) => {{ window.ended = {{ greetings: [], code: 99, message: String(error) }}; done(); }})"
            ))
            .await?;
        self.page.run("return window.ended", vec![]).await.context("the call does not say how it ended")
    }
}

/// Lets a client call from the server's own page, and then from elsewhere.
async fn from_both_origins(client: &'static str, calls: impl AsyncFn(Caller<'_>) -> Result) -> Result {
    scenario(async |world| {
        let script = std::fs::read_to_string(js_clients()?).context("the clients can not be read")?;
        let elsewhere = Elsewhere::start()?;
        world.allow_origin(&elsewhere.origin())?;
        let server = world.url();
        let page = world.browser("somebody", Browser::default()).await?;
        for (place, origin) in [("its own page", &server), ("another origin", &elsewhere.origin())] {
            page.visit(&format!("{origin}/greeter")).await?;
            page.run::<()>(&script, vec![]).await?;
            let caller = Caller { page: &page, server: &server, client };
            calls(caller).await.with_context(|| format!("{client} from {place}"))?;
        }
        Ok(())
    })
    .await
}

fn greeted(ended: &Ended, count: usize) -> Result {
    let is_so = ended.code == OK && ended.greetings == vec!["Hello, 世界 🌍!"; count];
    holds(is_so, || format!("not {count} greetings: {ended:?}"))
}

fn failed(ended: &Ended, code: u32, says: &str) -> Result {
    let is_so = ended.code == code && ended.message.contains(says);
    holds(is_so, || format!("not code {code} with {says:?}: {ended:?}"))
}

/// A stream without end, until its deadline.
async fn ends_at_the_deadline(caller: Caller<'_>) -> Result {
    let metadata = json!({ "x-greeter-interval-ms": "20" });
    let ended = caller.stream("Ada", json!({ "metadata": metadata, "timeout": 700 })).await?;
    if ended.greetings.len() < 2 {
        bail!("the deadline came before the greetings: {ended:?}");
    }
    failed(&ended, DEADLINE_EXCEEDED, "")
}

/// As many greetings as the server sends at most: frames are cut anywhere by then.
async fn reads_a_long_stream(caller: Caller<'_>) -> Result {
    for count in [1, 25, 20_000] {
        let metadata = json!({ "x-greeter-count": count.to_string(), "x-greeter-interval-ms": "0" });
        greeted(&caller.stream("世界 🌍", json!({ "metadata": metadata })).await?, count)?;
    }
    Ok(())
}

async fn learns_why_a_stream_is_refused(caller: Caller<'_>) -> Result {
    let long = "x".repeat(NAME_TOO_LONG);
    failed(&caller.stream(&long, json!({})).await?, INVALID_ARGUMENT, "longer than 1000 characters")?;
    let metadata = json!({ "x-greeter-count": "many" });
    let ended = caller.stream("Ada", json!({ "metadata": metadata })).await?;
    failed(&ended, INVALID_ARGUMENT, "x-greeter-count has to be a number")
}

#[tokio::test]
async fn connect_web_is_greeted() -> Result {
    from_both_origins("connect", async |caller| greeted(&caller.unary("世界 🌍", json!({})).await?, 1)).await
}

#[tokio::test]
async fn connect_web_learns_why_a_call_is_refused() -> Result {
    from_both_origins("connect", async |caller| {
        let ended = caller.unary(&"x".repeat(NAME_TOO_LONG), json!({})).await?;
        failed(&ended, INVALID_ARGUMENT, "longer than 1000 characters")?;
        learns_why_a_stream_is_refused(caller).await
    })
    .await
}

#[tokio::test]
async fn connect_web_reads_a_stream_to_its_end() -> Result {
    from_both_origins("connect", async |caller| reads_a_long_stream(caller).await).await
}

#[tokio::test]
async fn connect_web_reads_a_stream_to_its_deadline() -> Result {
    from_both_origins("connect", async |caller| ends_at_the_deadline(caller).await).await
}

#[tokio::test]
async fn grpc_web_is_greeted_in_binary_and_in_text() -> Result {
    from_both_origins("grpcWeb", async |caller| {
        for format in ["binary", "text"] {
            let ended = caller.unary("世界 🌍", json!({ "format": format })).await?;
            greeted(&ended, 1).context(format)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn grpc_web_learns_why_a_call_is_refused() -> Result {
    from_both_origins("grpcWeb", async |caller| {
        for format in ["binary", "text"] {
            let ended = caller.unary(&"x".repeat(NAME_TOO_LONG), json!({ "format": format })).await?;
            failed(&ended, INVALID_ARGUMENT, "longer than 1000 characters").context(format)?;
        }
        learns_why_a_stream_is_refused(caller).await
    })
    .await
}

#[tokio::test]
async fn grpc_web_reads_a_stream_to_its_end() -> Result {
    from_both_origins("grpcWeb", async |caller| reads_a_long_stream(caller).await).await
}

#[tokio::test]
async fn grpc_web_reads_a_stream_to_its_deadline() -> Result {
    from_both_origins("grpcWeb", async |caller| ends_at_the_deadline(caller).await).await
}
