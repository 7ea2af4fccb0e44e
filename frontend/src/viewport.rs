//! The height above an on-screen keyboard, which the frame has. `100dvh` does not shrink for the keyboard in every browser.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};

/// Follows the visible height as long as the page lives. Call once, in the application's root.
pub(crate) fn follow_keyboard() {
    let Some(viewport) = window().visual_viewport() else { return };
    let measured = viewport.clone();
    let measure = Closure::<dyn Fn()>::new(move || {
        // A page that is zoomed by a gesture keeps its layout.
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
