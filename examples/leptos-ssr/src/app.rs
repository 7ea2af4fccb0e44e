//! The page.

use leptos::prelude::*;
use tonic_web_channel::Channel;

use crate::call::sendable;
use crate::quotes::GetRequest;
use crate::quotes::quotes_client::QuotesClient;

/// Shows a quote, and the next one on a click.
#[component]
pub fn App() -> impl IntoView {
    let client = QuotesClient::new(expect_context::<Channel>());
    let number = RwSignal::new(0);
    // The server awaits it and sends the value along; the browser calls only when `number` changes.
    let quote = Resource::new(
        move || number.get(),
        move |number| {
            let mut client = client.clone();
            sendable(async move {
                let response = client.get(GetRequest { number }).await;
                let quote = response.map(tonic::Response::into_inner);
                quote.map(|quote| (quote.text, quote.calls)).map_err(|status| status.message().to_owned())
            })
        },
    );
    view! {
        <h1>"Quotes"</h1>
        <Suspense fallback=|| view! { <p>"Loading"</p> }>
            {move || Suspend::new(async move {
                match quote.await {
                    Ok((text, calls)) => view! { <blockquote>{text}</blockquote> <p>"Call " {calls}</p> }.into_any(),
                    Err(error) => view! { <p role="alert">{error}</p> }.into_any(),
                }
            })}
        </Suspense>
        <button on:click=move |_| number.update(|number| *number += 1)>"Next"</button>
    }
}
