//! A client in Rust for a page in JavaScript: one unary call, and a stream with a callback.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, abortable};
use js_sys::Function;
use tonic::Request;
use tonic_web_channel::{Channel, RequestExt as _, Subscription, SubscriptionOptions, Update};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use self::helloworld::greeter_client::GreeterClient;
use self::helloworld::{HelloRequest, METHODS};

/// What `build.rs` made of `proto/helloworld.proto`.
mod helloworld {
    tonic::include_proto!("helloworld");
    include!(concat!(env!("OUT_DIR"), "/methods.rs"));
}

/// A client of `helloworld.Greeter`.
#[wasm_bindgen]
pub struct Greeter(GreeterClient<Channel>);

#[wasm_bindgen]
impl Greeter {
    /// Calls the server at `origin`, such as `location.origin`.
    #[wasm_bindgen(constructor)]
    pub fn new(origin: String) -> Result<Self, JsError> {
        let channel = Channel::builder(origin).methods(METHODS).deadline(Duration::from_secs(10)).build()?;
        Ok(Self(GreeterClient::new(channel)))
    }

    /// The greeting. The promise is rejected with the status' message.
    #[wasm_bindgen(js_name = sayHello)]
    pub async fn say_hello(&self, name: String) -> Result<String, JsError> {
        let reply = self.0.clone().say_hello(HelloRequest { name }).await;
        reply.map(|reply| reply.into_inner().message).map_err(|status| JsError::new(status.message()))
    }

    /// Calls `callback` with every greeting of a stream that reconnects, until the returned value is freed.
    #[wasm_bindgen(js_name = watch)]
    pub fn watch(&self, name: String, callback: Function) -> Watch {
        let client = self.0.clone();
        let (mut updates, _) = Subscription::new(SubscriptionOptions::default(), move || {
            let mut client = client.clone();
            let mut request = Request::new(HelloRequest { name: name.clone() });
            request.no_deadline();
            async move { client.say_hello_stream_reply(request).await }
        });
        let (task, abort) = abortable(async move {
            while let Some(update) = updates.next().await {
                if let Update::Message(reply) = update {
                    // An exception of the callback is the page's to handle; the stream goes on.
                    callback.call1(&JsValue::NULL, &reply.message.into()).ok();
                }
            }
        });
        spawn_local(async move {
            // An error only says that it was aborted.
            task.await.ok();
        });
        Watch(abort)
    }
}

/// A stream that runs until this is freed.
#[wasm_bindgen]
pub struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
