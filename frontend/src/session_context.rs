//! Contexts that the parts of the page share: the session, and the chat's part of the tab's title.

use leptos::{prelude::*, task::spawn_local};
use proto::chat::v1::User;

use crate::{api::Api, drafts, storage};

/// The chat's part of the header and of the tab's title. Empty while the chat is not shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageTitle {
    /// The room's name.
    pub(crate) room: RwSignal<Option<String>>,
    /// Unread messages of all rooms.
    pub(crate) unread: RwSignal<u64>,
    /// Unread messages of the rooms that are not shown.
    pub(crate) unread_elsewhere: RwSignal<u64>,
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
    /// The recovery code of the user who has just joined, until they put it away.
    pub(crate) recovery_code: RwSignal<Option<NewCode>>,
}

/// A recovery code that was not put away yet.
#[derive(Clone, Debug)]
pub(crate) struct NewCode {
    /// Its user: the next person in this browser must not see it.
    user_id: String,
    code: String,
}

impl SessionContext {
    /// A person is signed in by a form of this page.
    pub(crate) fn entered(self, recovery_code: Option<String>) {
        storage::remove(SIGNED_OUT_KEY);
        let user_id = self.user.get_untracked().map(|user| user.id).unwrap_or_default();
        self.recovery_code.set(recovery_code.map(|code| NewCode { user_id, code }));
    }

    /// The recovery code to show to the user who is signed in.
    pub(crate) fn code_to_keep(self) -> Option<String> {
        let new = self.recovery_code.get()?;
        self.user.with(|user| user.as_ref().is_some_and(|user| user.id == new.user_id)).then_some(new.code)
    }
}

/// Set while the last session in this browser was ended on purpose. In the storage, because the other tabs only see that their
/// session has ended.
const SIGNED_OUT_KEY: &str = "chinwag.signed-out";

/// Whether the last session in this browser was ended on purpose.
pub(crate) fn has_signed_out() -> bool {
    storage::get(SIGNED_OUT_KEY).is_some()
}

/// Provides both contexts. Call once, in the application's root.
pub(crate) fn provide_session(api: Api) {
    provide_context(PageTitle {
        room: RwSignal::new(None),
        unread: RwSignal::new(0),
        unread_elsewhere: RwSignal::new(0),
    });
    let user = RwSignal::new(None);
    let sign_out_failed = RwSignal::new(false);
    let recovery_code = RwSignal::new(None);
    let sign_out = Callback::new(move |()| {
        let api = api.clone();
        let user_id = user.with_untracked(|user| user.as_ref().map(|user: &User| user.id.clone()));
        // Before the call: the stream may end before the answer comes.
        storage::set(SIGNED_OUT_KEY, "1");
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
                user_id.iter().for_each(|user_id| drafts::remove_all(user_id));
                recovery_code.set(None);
                user.set(None);
            } else {
                storage::remove(SIGNED_OUT_KEY);
            }
        });
    });
    provide_context(SessionContext { user, sign_out, sign_out_failed, recovery_code });
}
