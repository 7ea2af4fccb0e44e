//! The page: a form that adds notes, and the list of all notes as it grows.

mod use_subscription;

use contract::notes_client::NotesClient;
use contract::{AddRequest, METHODS, Note, WatchRequest, WatchResponse};
use leptos::prelude::*;
use leptos::task::spawn_local;
use tonic::Request;
use tonic_web_channel::{Channel, RequestExt as _, State, SubscriptionOptions};

use crate::use_subscription::{Live, use_subscription};

fn main() {
    let origin = window().location().origin().expect("a page has an origin");
    let channel = Channel::builder(origin)
        .methods(METHODS)
        .deadline(std::time::Duration::from_secs(10))
        .build()
        .expect("the origin of a page is a valid URI");
    let client = NotesClient::new(channel);
    mount_to_body(move || view! { <Board client=client.clone() /> });
}

#[component]
fn Board(client: NotesClient<Channel>) -> impl IntoView {
    let notes = RwSignal::new(Vec::<Note>::new());
    let board = RwSignal::new(String::new());
    let watching = client.clone();
    let Live { state, handle } = use_subscription(
        SubscriptionOptions::default(),
        move || {
            // Made anew for every attempt, so that a new connection resumes where the last one broke.
            let after = notes.with_untracked(|notes| notes.last().map_or(0, |note| note.number));
            let mut request = Request::new(WatchRequest { board: board.get_untracked(), after });
            let mut client = watching.clone();
            request.no_deadline();
            async move { client.watch(request).await }
        },
        move |message: WatchResponse| {
            // The server was restarted, and its notes with it.
            if board.get_untracked() != message.board {
                notes.update(Vec::clear);
                board.set(message.board);
            }
            notes.update(|notes| notes.extend(message.notes));
        },
    );
    view! {
        <h1>"Notes"</h1>
        <p role="status">{move || state.with(describe)}</p>
        <button on:click=move |_| handle.retry_now()>"Connect now"</button>
        <AddForm client />
        <ol>
            <For each=move || notes.get() key=|note| (note.number, note.text.clone()) let:note>
                <li>{note.text}</li>
            </For>
        </ol>
    }
}

fn describe(state: &State) -> String {
    match state {
        State::Idle | State::Connecting => "Connecting".to_owned(),
        State::Ready => "Live".to_owned(),
        State::TransientFailure { status, .. } => format!("Reconnecting: {}", status.message()),
        State::Shutdown { status } => format!("Ended: {}", status.message()),
    }
}

#[component]
fn AddForm(client: NotesClient<Channel>) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let error = RwSignal::new(None::<String>);
    let add = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let mut client = client.clone();
        // The channel repeats a call of an idempotent method; the id makes that harmless.
        let request = AddRequest { id: uuid::Uuid::new_v4().to_string(), text: text.get_untracked() };
        spawn_local(async move {
            match client.add(request).await {
                Ok(_) => {
                    text.set(String::new());
                    error.set(None);
                }
                Err(status) => error.set(Some(status.message().to_owned())),
            }
        });
    };
    view! {
        <form on:submit=add>
            <label>"Note " <input bind:value=text /></label>
            <button>"Add"</button>
        </form>
        <p role="alert">{move || error.get()}</p>
    }
}
