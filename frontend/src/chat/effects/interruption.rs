//! Interruptions of the connection, also those that are too short for the strip: after each one the server may be a new one, with a new
//! version of the page.

use std::mem::take;

use leptos::prelude::*;

use crate::{chat::store::Chat, new_version::check_for_new_version};

/// The stream failed, or nobody answered the question for the session.
pub(super) fn begins(chat: Chat) {
    chat.runtime.update_value(|runtime| runtime.is_interrupted = true);
}

/// A frame came, or the answer about the session.
pub(super) fn ends(chat: Chat) {
    let was_interrupted = chat.runtime.try_update_value(|runtime| take(&mut runtime.is_interrupted));
    if was_interrupted == Some(true) {
        check_for_new_version();
    }
}
