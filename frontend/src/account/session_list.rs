//! The settings' part about the user's sessions.

use leptos::{html, prelude::*, task::spawn_local};
use proto::chat::v1::Session;

use crate::{
    api::{Api, use_api},
    i18n::{Messages, fill, text, use_language, use_messages},
    intl::{self, Moment},
    session_context::SessionContext,
    status::Failure,
};

/// The state of the list. All copies are the same list.
#[derive(Clone, Copy)]
struct List {
    sessions: RwSignal<Vec<Session>>,
    failure: RwSignal<Option<Failure>>,
}

impl List {
    /// Asks the server for the sessions, after ending one of them.
    fn load(self, api: Api, ended: Option<String>) {
        spawn_local(async move {
            let result = async {
                if let Some(id) = ended {
                    api.end_session(id).await?;
                }
                api.list_sessions().await
            };
            // The page may have been left meanwhile.
            match result.await {
                Ok(response) => {
                    self.failure.try_set(None);
                    self.sessions.try_set(response.sessions);
                }
                Err(status) => drop(self.failure.try_set(Some(Failure::from(&status)))),
            }
        });
    }
}

/// The sessions, each with a button that ends it.
#[component]
pub(crate) fn SessionList() -> impl IntoView {
    let m = use_messages();
    let api = use_api();
    let session = expect_context::<SessionContext>();
    let list = List { sessions: RwSignal::new(Vec::new()), failure: RwSignal::new(None) };
    list.load(api.clone(), None);
    let title = NodeRef::<html::H2>::new();
    let end = Callback::new(move |ended: Session| {
        if ended.current {
            return session.sign_out.run(());
        }
        // The button goes away, and the focus must not fall to the document.
        if let Some(title) = title.get_untracked() {
            title.focus().ok();
        }
        list.load(api.clone(), Some(ended.id));
    });
    view! {
        <section class="settings__part" aria-labelledby="sessions-title">
            <h2 id="sessions-title" tabindex="-1" node_ref=title>{text(|m| m.sessions)}</h2>
            <ul class="sessions">
                <For each=move || list.sessions.get() key=|session| session.id.clone() let:session>
                    <SessionRow session end />
                </For>
            </ul>
            <p class="error" role="alert">
                {move || list.failure.get().map(|failure| failure.sentence(m.get()))}
            </p>
        </section>
    }
}

/// One session.
#[component]
fn SessionRow(
    /// The session.
    session: Session,
    /// Ends it.
    end: Callback<Session>,
) -> impl IntoView {
    let m = use_messages();
    let language = use_language();
    let Session { current, connected, last_used_ms, .. } = session;
    let named = session.clone();
    let device = Signal::derive(move || device_name(&named, m.get()));
    let state = Signal::derive(move || match (current, connected) {
        (true, _) => m.get().session_current.to_owned(),
        (false, true) => m.get().session_connected.to_owned(),
        (false, false) => {
            let time = intl::moment(language.get(), Moment::Full, last_used_ms);
            fill(m.get().session_last_used, &[("time", &time)])
        }
    });
    // Several sessions may have the same device.
    let label = move || fill(m.get().session_end_of, &[("device", &device.get()), ("state", &state.get())]);
    view! {
        <li class="sessions__row" data-current=current.then_some("")>
            <span class="sessions__device">{device}</span>
            <span class="sessions__state">{state}</span>
            <button type="button" class="button" aria-label=label on:click=move |_| end.run(session.clone())>
                {text(|m| m.session_end)}
            </button>
        </li>
    }
}

fn device_name(session: &Session, m: &Messages) -> String {
    match (session.client.as_str(), session.system.as_str()) {
        ("", "") => m.session_unknown.to_owned(),
        ("", one) | (one, "") => one.to_owned(),
        (client, system) => fill(m.session_device, &[("client", client), ("system", system)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn a_device_is_named_as_far_as_it_is_known() {
        let name = |client: &str, system: &str, language: Language| {
            let session = Session { client: client.into(), system: system.into(), ..Session::default() };
            device_name(&session, language.messages())
        };
        assert_eq!(name("Chromium", "Linux", Language::English), "Chromium on Linux");
        assert_eq!(name("Chromium", "Linux", Language::Chinese), "Linux 上的 Chromium");
        assert_eq!(name("tonic", "", Language::English), "tonic");
        assert_eq!(name("", "Linux", Language::English), "Linux");
        assert_eq!(name("", "", Language::English), "Unknown device");
    }
}
