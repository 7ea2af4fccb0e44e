//! The client: tonic's generated client on the channel, over TLS with an authority of its own.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use tonic::Status;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic_web_channel::{Channel, Native};

use crate::Error;
use crate::clock::clock_client::ClockClient;
use crate::clock::{METHODS, NowRequest, TicksRequest};

/// A client of `uri` that trusts certificates of `authority` alone.
pub fn connect(uri: &str, authority: &str) -> Result<ClockClient<Channel>, Error> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
    let endpoint = Endpoint::from_shared(uri.to_owned())?.tls_config(tls)?;
    let channel = Channel::builder(uri)
        .transport(Native::new(uri, endpoint.connect_lazy()))
        .methods(METHODS)
        .deadline(Duration::from_secs(10))
        .build()?;
    Ok(ClockClient::new(channel))
}

/// The server's time, seconds since 1970.
pub async fn now(clock: &mut ClockClient<Channel>) -> Result<u64, Status> {
    Ok(clock.now(NowRequest {}).await?.into_inner().unix_seconds)
}

/// The first `count` ticks. Leaving the stream cancels the call.
pub async fn ticks(clock: &mut ClockClient<Channel>, count: usize) -> Result<Vec<u64>, Status> {
    let ticks = clock.ticks(TicksRequest { period_ms: 50 }).await?.into_inner();
    ticks.take(count).map_ok(|tick| tick.unix_seconds).try_collect().await
}
