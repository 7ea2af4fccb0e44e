//! The cost of a socket for its server, beside plain HTTP/2: CPU time of a delivered message, and memory while nothing happens.
//!
//! The server is a process of its own. Its clients are this channel, over both transports.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use harness::Process;
use harness::procfs::{cpu_time, resident_bytes};
use proto::helloworld::HelloRequest;
use proto::helloworld::greeter_client::GreeterClient;
use tonic::Request;
use tonic_web_channel::{Channel, Socket};

use super::server::{COUNT_KEY, PACE_KEY, SIZE_KEY};
use crate::process::own_server;
use crate::report::Samples;

/// Connections with a stream each. The server takes 1,000 of an address.
const CONNECTIONS: usize = 500;

/// Messages of a stream, and those of a second: slow enough that no two of a connection are sent together.
const MESSAGES: u32 = 100;
const PER_SECOND: u32 = 20;

/// Bytes of the text of a message.
const TEXT: u32 = 70;

#[derive(Clone, Copy)]
enum Way {
    Http2,
    Socket,
}

impl Way {
    fn client(self, url: &str) -> Result<GreeterClient<Channel>> {
        let channel = match self {
            Self::Http2 => Channel::builder(url).build()?,
            Self::Socket => Channel::with_transport(Socket::new(url.parse()?)).build()?,
        };
        Ok(GreeterClient::new(channel))
    }
}

struct Round {
    /// Microseconds.
    cpu_per_message: f64,
    /// KiB.
    memory_per_connection: f64,
}

/// Measures both ways in turns, and returns the table.
pub(crate) async fn measured(rounds: usize) -> Result<String> {
    let (mut plain, mut socket) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        plain.push(round(Way::Http2).await?);
        socket.push(round(Way::Socket).await?);
    }
    let mut text =
        String::from("| of the server | plain HTTP/2 | socket | socket over plain |\n|---|---:|---:|---:|\n");
    let mut row = |what: &str, of: fn(&Round) -> f64| -> Result<()> {
        let [plain, socket] = [&plain, &socket].map(|rounds| rounds.iter().map(of).collect::<Vec<_>>());
        let ratio = Samples::ratios(&socket, &plain).show();
        let [plain, socket] = [plain, socket].map(|values| Samples::new(values).show());
        Ok(writeln!(text, "| {what} | {plain} | {socket} | {ratio} |")?)
    };
    row("CPU time of a message, µs", |round| round.cpu_per_message)?;
    row("memory of an idle connection, KiB", |round| round.memory_per_connection)?;
    Ok(text)
}

async fn round(way: Way) -> Result<Round> {
    let (server, addr) = own_server(&["channel-server"])?;
    let url = format!("http://{addr}");
    // The first connection allocates for all.
    say_hello(&mut way.client(&url)?).await?;
    let before = resident_bytes(server.id())?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = way.client(&url)?;
        say_hello(&mut client).await?;
        clients.push(client);
    }
    let memory = resident_bytes(server.id())?.saturating_sub(before);
    let cpu_per_message = cpu_of_streams(&server, &clients).await?;
    eprintln!("{CONNECTIONS} connections: {memory} bytes, {cpu_per_message:.1} µs for a message");
    Ok(Round { cpu_per_message, memory_per_connection: memory as f64 / 1024.0 / CONNECTIONS as f64 })
}

async fn say_hello(client: &mut GreeterClient<Channel>) -> Result<()> {
    client.say_hello(HelloRequest { name: "World".to_owned() }).await?;
    Ok(())
}

/// Reads a paced stream of each client. Microseconds of the server for a message.
async fn cpu_of_streams(server: &Process, clients: &[GreeterClient<Channel>]) -> Result<f64> {
    let before = cpu_time(server.id())?;
    let reading = clients.iter().cloned().map(|client| tokio::spawn(read(client)));
    let received: u32 = try_join_all(reading).await?.into_iter().sum::<Result<u32>>()?;
    let used = cpu_time(server.id())?.saturating_sub(before);
    ensure!(received == MESSAGES * clients.len() as u32, "only {received} messages came");
    Ok(used.as_secs_f64() * 1e6 / f64::from(received))
}

async fn read(mut client: GreeterClient<Channel>) -> Result<u32> {
    let mut request = Request::new(HelloRequest::default());
    for (key, value) in [(COUNT_KEY, MESSAGES), (SIZE_KEY, TEXT), (PACE_KEY, PER_SECOND)] {
        request.metadata_mut().insert(key, value.into());
    }
    let mut replies = client.say_hello_stream_reply(request).await?.into_inner();
    let mut received = 0;
    while replies.message().await?.is_some() {
        received += 1;
    }
    Ok(received)
}
