//! A server with a certificate of a private authority, and a client that trusts this authority and nothing else.

mod client;
mod server;

/// What `build.rs` made of `proto/clock.proto`.
mod clock {
    tonic::include_proto!("clock.v1");
    include!(concat!(env!("OUT_DIR"), "/methods.rs"));
}

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let server = server::start()?;
    println!("the server listens on {}", server.uri);

    let mut clock = client::connect(&server.uri, &server.authority)?;
    println!("now: {}", client::now(&mut clock).await?);
    for time in client::ticks(&mut clock, 3).await? {
        println!("tick: {time}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn client_with_the_authority_calls_and_streams() {
        let server = server::start().unwrap();
        let mut clock = client::connect(&server.uri, &server.authority).unwrap();
        assert!(client::now(&mut clock).await.unwrap() > 1_700_000_000);
        assert_eq!(client::ticks(&mut clock, 3).await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn client_with_another_authority_sends_nothing() {
        let (server, other) = (server::start().unwrap(), server::start().unwrap());
        let mut clock = client::connect(&server.uri, &other.authority).unwrap();
        let status = client::now(&mut clock).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unavailable, "{status}");
    }
}
