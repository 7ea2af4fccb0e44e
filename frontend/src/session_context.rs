//! Contexts that the parts of the page share: the session, and the chat's part of the tab's title.

use leptos::{prelude::*, task::spawn_local};
use proto::chat::v1::User;

use crate::api::Api;

/// The chat's part of the header and of the tab's title. Empty while the chat is not shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageTitle {
    /// The room's name.
    pub(crate) room: RwSignal<Option<String>>,
    /// Unread messages of all rooms.
    pub(crate) unread: RwSignal<u64>,
}

/// The session. The chat sets `user`.
#[derive(Clone, Copy)]
pub(crate) struct SessionContext {
    /// The signed-in user.
    pub(crate) user: RwSignal<Option<User>>,
    /// Ends the session. `user` becomes `None` when the server has ended it.
    pub(crate) sign_out: Callback<()>,
    /// Whether the last attempt to sign out failed.
    pub(crate) sign_out_failed: RwSignal<bool>,
}

/// Provides both contexts. Call once, in the application's root.
pub(crate) fn provide_session(api: Api) {
    provide_context(PageTitle { room: RwSignal::new(None), unread: RwSignal::new(0) });
    let user = RwSignal::new(None);
    let sign_out_failed = RwSignal::new(false);
    let sign_out = Callback::new(move |()| {
        let api = api.clone();
        spawn_local(async move {
            let signed_out = match api.sign_out().await {
                Ok(_) => true,
                // The session has ended already, by the server's word.
                Err(status) => {
                    status.code() == tonic::Code::Unauthenticated
                        && tonic_web_channel::Error::from_status(&status).is_none()
                }
            };
            sign_out_failed.set(!signed_out);
            if signed_out {
                user.set(None);
            }
        });
    });
    provide_context(SessionContext { user, sign_out, sign_out_failed });
}
