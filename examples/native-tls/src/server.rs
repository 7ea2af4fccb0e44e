//! The server: tonic's service on tonic-serve, with TLS.

use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_stream::wrappers::IntervalStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_serve::{App, Methods, ServeOptions, Tls};

use crate::Error;
use crate::clock::clock_server::{Clock, ClockServer};
use crate::clock::{METHODS, NowRequest, NowResponse, TicksRequest, TicksResponse};

/// A running server. It stops when the runtime does.
pub struct Server {
    /// Its address.
    pub uri: String,
    /// The certificate of the authority that signed the server's, as PEM.
    pub authority: String,
}

/// Starts a server on a free port of 127.0.0.1, with a new authority.
pub fn start() -> Result<Server, Error> {
    let (tls, authority) = certificates()?;
    let listener = tonic_serve::listen("127.0.0.1:0".parse()?)?;
    let uri = format!("https://localhost:{}", listener.local_addr()?.port());

    let app = App::new(Routes::new(ClockServer::new(SystemClock))).methods(Methods::from(METHODS));
    let options = ServeOptions::default().tls(tls);
    tokio::spawn(tonic_serve::serve(listener, app, options, std::future::pending()));
    Ok(Server { uri, authority })
}

/// A certificate for `localhost`, signed by a new authority, whose certificate is returned as PEM.
fn certificates() -> Result<(Tls, String), Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &authority)?;
    let tls = Tls::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())?;
    Ok((tls, authority.pem()))
}

struct SystemClock;

#[tonic::async_trait]
impl Clock for SystemClock {
    async fn now(&self, _: Request<NowRequest>) -> Result<Response<NowResponse>, Status> {
        Ok(Response::new(NowResponse { unix_seconds: unix_seconds() }))
    }

    type TicksStream = Pin<Box<dyn Stream<Item = Result<TicksResponse, Status>> + Send>>;

    async fn ticks(&self, request: Request<TicksRequest>) -> Result<Response<Self::TicksStream>, Status> {
        let period = Duration::from_millis(request.get_ref().period_ms.into());
        if period.is_zero() {
            return Err(Status::invalid_argument("period_ms must be at least 1"));
        }
        let ticks = IntervalStream::new(tokio::time::interval(period));
        let times = ticks.map(|_| Ok(TicksResponse { unix_seconds: unix_seconds() }));
        Ok(Response::new(Box::pin(times)))
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
