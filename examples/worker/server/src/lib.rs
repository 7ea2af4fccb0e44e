//! The server: samples, and the page, on one port.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use contract::sampler_server::{Sampler, SamplerServer};
use contract::{DescribeRequest, DescribeResponse, SampleRequest, SampleResponse};
use tokio::net::TcpListener;
use tokio_stream::wrappers::IntervalStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_serve::{App, Methods, Page, ServeOptions};

const VALUES_IN_MESSAGE: usize = 100;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Serves samples, and the page in the folder `page`, until `shutdown` is ready.
pub async fn run(
    listener: TcpListener,
    page: PathBuf,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let app = App::new(Routes::new(SamplerServer::new(Sine)))
        .methods(Methods::from(contract::METHODS))
        .page(Page::new(page).when_missing("<!doctype html><p>Run <code>trunk build</code> in page/."));
    tonic_serve::serve(listener, app, ServeOptions::default(), shutdown).await?;
    Ok(())
}

struct Sine;

#[tonic::async_trait]
impl Sampler for Sine {
    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(DescribeResponse { name: "A sine wave".to_owned() }))
    }

    type SampleStream = Pin<Box<dyn Stream<Item = Result<SampleResponse, Status>> + Send>>;

    async fn sample(&self, request: Request<SampleRequest>) -> Result<Response<Self::SampleStream>, Status> {
        let rate = request.get_ref().rate;
        if !(1..=1000).contains(&rate) {
            return Err(Status::invalid_argument("the rate is 1 to 1000"));
        }
        let ticks = IntervalStream::new(tokio::time::interval(Duration::from_secs(1) / rate));
        let mut next = 0_usize;
        let samples = ticks.map(move |_| {
            let values =
                (next..next + VALUES_IN_MESSAGE).map(|step| 1.0 + (step as f64 / 50.0).sin()).collect();
            next += VALUES_IN_MESSAGE;
            Ok(SampleResponse { values })
        });
        Ok(Response::new(Box::pin(samples)))
    }
}
