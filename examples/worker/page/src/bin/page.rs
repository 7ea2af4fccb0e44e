//! The page: starts the worker and shows what it sends. It makes no calls.

use page::Text;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker};

fn main() {
    // trunk writes this loader for the binary `worker`.
    let worker = Worker::new("/worker_loader.js").expect("a browser with workers");
    let show = Closure::<dyn Fn(MessageEvent)>::new(|event: MessageEvent| {
        let element = Text::from_message(&event.data()).and_then(|text| {
            let element = web_sys::window()?.document()?.get_element_by_id(&text.id)?;
            Some((element, text.text))
        });
        if let Some((element, text)) = element {
            element.set_text_content(Some(&text));
        }
    });
    worker.set_onmessage(Some(show.as_ref().unchecked_ref()));
    // Both live as long as the page.
    show.forget();
    std::mem::forget(worker);
}
