//! A page that the server renders and the browser hydrates, with a `Resource` that calls on either side.

mod app;
mod call;
#[cfg(feature = "ssr")]
pub mod server;

/// What `build.rs` made of `proto/quotes.proto`.
mod quotes {
    tonic::include_proto!("quotes.v1");
    include!(concat!(env!("OUT_DIR"), "/methods.rs"));
}

/// Takes over the page that the server rendered.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    use leptos::prelude::*;

    console_error_panic_hook::set_once();
    let origin = window().location().origin().expect("a page has an origin");
    let channel = tonic_web_channel::Channel::builder(origin)
        .methods(quotes::METHODS)
        .build()
        .expect("the origin of a page is a valid URI");
    leptos::mount::hydrate_body(move || {
        provide_context(channel.clone());
        view! { <app::App /> }
    });
    // Tests wait for it: until now the page was a document without handlers.
    document().document_element().map(|root| root.set_attribute("data-hydrated", ""));
}
