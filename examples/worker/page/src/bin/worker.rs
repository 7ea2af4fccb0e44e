//! The worker: makes the calls and the arithmetic, so that the page stays responsive.

use contract::sampler_client::SamplerClient;
use contract::{DescribeRequest, METHODS, SampleRequest, SampleResponse};
use futures_util::StreamExt as _;
use page::Text;
use tonic::Request;
use tonic_web_channel::{Channel, RequestExt as _, State, Subscription, SubscriptionOptions, Update};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::DedicatedWorkerGlobalScope;

fn main() {
    // A worker has no window; its location is that of its script.
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let channel = Channel::builder(scope.location().origin())
        .methods(METHODS)
        .deadline(std::time::Duration::from_secs(10))
        .build()
        .expect("the origin of a worker is a valid URI");
    spawn_local(run(SamplerClient::new(channel), scope));
}

async fn run(mut client: SamplerClient<Channel>, page: DedicatedWorkerGlobalScope) {
    let show = |id: &str, text: String| {
        let text = Text { id: id.to_owned(), text };
        page.post_message(&text.to_message()).expect("text can be sent");
    };
    match client.describe(DescribeRequest {}).await {
        Ok(described) => show("name", described.into_inner().name),
        Err(status) => show("state", format!("Failed: {}", status.message())),
    }

    let (mut updates, _handle) = Subscription::new(SubscriptionOptions::default(), move || {
        let mut client = client.clone();
        let mut request = Request::new(SampleRequest { rate: 20 });
        request.no_deadline();
        async move { client.sample(request).await }
    });
    let (mut count, mut sum) = (0_usize, 0.0);
    while let Some(update) = updates.next().await {
        match update {
            Update::Message(SampleResponse { values }) => {
                count += values.len();
                sum += values.iter().sum::<f64>();
                show("count", count.to_string());
                show("mean", format!("{:.3}", sum / count as f64));
            }
            Update::State(State::Ready) => show("state", "Live".to_owned()),
            Update::State(state) => show("state", format!("{state:?}")),
        }
    }
}
