//! The height that is left above an on-screen keyboard. `100dvh` does not shrink for it in every
//! browser; the frame's height is this where it is known.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};

/// Follows the visible height for as long as the page lives. Call once, in the application's root.
pub(crate) fn follow_keyboard() {
    let Some(viewport) = window().visual_viewport() else { return };
    let measured = viewport.clone();
    let measure = Closure::<dyn Fn()>::new(move || {
        // Zoomed with two fingers, a person moves about in the page; its layout stays.
        if (measured.scale() - 1.0).abs() > 0.01 {
            return;
        }
        let Some(root) = document().document_element() else { return };
        let height = (measured.height() as u32).to_string();
        // Setting an attribute with a valid name does not fail.
        root.set_attribute("style", &["--viewport-height:", &height, "px"].concat()).ok();
    });
    // Listening to an event of the viewport does not fail.
    viewport.add_event_listener_with_callback("resize", measure.as_ref().unchecked_ref()).ok();
    measure.forget();
}
