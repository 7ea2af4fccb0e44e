//! connect-web and grpc-web against the server: from its own page and from a page of another origin.

use anyhow::{Context as _, bail, ensure};
use e2e::{Browser, OtherOrigin, Page, Result, js_clients, scenario};
use serde::Deserialize;
use serde_json::{Value, json};

const OK: u32 = 0;
const INVALID_ARGUMENT: u32 = 3;
const DEADLINE_EXCEEDED: u32 = 4;

/// One character more than the Greeter's limit.
const NAME_TOO_LONG: usize = 1_001;

/// The end of a call.
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
        self.page.run("return window.ended", vec![]).await.context("the script has no result")
    }
}

/// Runs `calls` on the server's own page, and then on a page of another origin.
async fn from_both_origins(client: &'static str, calls: impl AsyncFn(Caller<'_>) -> Result) -> Result {
    scenario(async |world| {
        let script = std::fs::read_to_string(js_clients()?).context("cannot read the clients")?;
        let other = OtherOrigin::start()?;
        world.allow_origin(&other.origin())?;
        let server = world.url();
        let page = world.browser("somebody", Browser::default()).await?;
        for (place, origin) in [("its own page", &server), ("another origin", &other.origin())] {
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
    let all = vec!["Hello, 世界 🌍!"; count];
    ensure!(ended.code == OK && ended.greetings == all, "not {count} greetings: {ended:?}");
    Ok(())
}

fn failed(ended: &Ended, code: u32, says: &str) -> Result {
    let matches = ended.code == code && ended.message.contains(says);
    ensure!(matches, "not code {code} with {says:?}: {ended:?}");
    Ok(())
}

/// An endless stream, until its deadline.
async fn ends_at_the_deadline(caller: Caller<'_>) -> Result {
    let metadata = json!({ "x-greeter-interval-ms": "20" });
    let ended = caller.stream("Ada", json!({ "metadata": metadata, "timeout": 700 })).await?;
    if ended.greetings.len() < 2 {
        bail!("the deadline came before the greetings: {ended:?}");
    }
    failed(&ended, DEADLINE_EXCEEDED, "")
}

/// Up to the Greeter's maximum, so that chunks end anywhere in a frame.
async fn reads_a_long_stream(caller: Caller<'_>) -> Result {
    for count in [1, 25, 20_000] {
        let metadata = json!({ "x-greeter-count": count.to_string(), "x-greeter-interval-ms": "0" });
        greeted(&caller.stream("世界 🌍", json!({ "metadata": metadata })).await?, count)?;
    }
    Ok(())
}

async fn receives_the_status_of_a_refused_stream(caller: Caller<'_>) -> Result {
    let long = "x".repeat(NAME_TOO_LONG);
    failed(&caller.stream(&long, json!({})).await?, INVALID_ARGUMENT, "longer than 1000 characters")?;
    let metadata = json!({ "x-greeter-count": "many" });
    let ended = caller.stream("Ada", json!({ "metadata": metadata })).await?;
    failed(&ended, INVALID_ARGUMENT, "x-greeter-count has to be a number")
}

#[tokio::test]
async fn connect_web_calls_say_hello() -> Result {
    from_both_origins("connect", async |caller| greeted(&caller.unary("世界 🌍", json!({})).await?, 1)).await
}

#[tokio::test]
async fn connect_web_receives_the_status_of_a_refused_call() -> Result {
    from_both_origins("connect", async |caller| {
        let ended = caller.unary(&"x".repeat(NAME_TOO_LONG), json!({})).await?;
        failed(&ended, INVALID_ARGUMENT, "longer than 1000 characters")?;
        receives_the_status_of_a_refused_stream(caller).await
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
async fn grpc_web_calls_say_hello_in_binary_and_in_text() -> Result {
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
async fn grpc_web_receives_the_status_of_a_refused_call() -> Result {
    from_both_origins("grpcWeb", async |caller| {
        for format in ["binary", "text"] {
            let ended = caller.unary(&"x".repeat(NAME_TOO_LONG), json!({ "format": format })).await?;
            failed(&ended, INVALID_ARGUMENT, "longer than 1000 characters").context(format)?;
        }
        receives_the_status_of_a_refused_stream(caller).await
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
