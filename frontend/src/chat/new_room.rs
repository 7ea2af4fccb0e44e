//! The button "New room" and its dialog.

use leptos::{ev, html, prelude::*, task::spawn_local};
use proto::chat::v1 as pb;
use uuid::Uuid;

use super::{
    naming::{Refused, Subject},
    store::use_chat,
};
use crate::{
    api::use_api,
    i18n::{text, use_messages},
    icon::{Icon, IconKind},
    route::{Route, navigate},
};

/// The button, and the dialog that it opens.
#[component]
pub(crate) fn NewRoom() -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let open = RwSignal::new(false);
    let show = move |_| {
        open.set(true);
        if let Some(dialog) = dialog.get_untracked().filter(|dialog| !dialog.open()) {
            // It fails only for a dialog that is open or not in the page.
            dialog.show_modal().ok();
        }
    };
    let close = Callback::new(move |()| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    });
    view! {
        <button
            type="button"
            class="button button--icon"
            aria-label=text(|m| m.new_room)
            title=text(|m| m.new_room)
            on:click=show
        >
            <Icon kind=IconKind::Add />
        </button>
        <dialog class="dialog" aria-labelledby="new-room-title" node_ref=dialog on:close=move |_| open.set(false)>
            // Made anew each time, so that it opens empty.
            <Show when=move || open.get() fallback=|| ()>
                <NewRoomForm close />
            </Show>
        </dialog>
    }
}

#[component]
fn NewRoomForm(close: Callback<()>) -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let api = use_api();
    let field = NodeRef::<html::Input>::new();
    let refused = RwSignal::new(None::<Refused>);
    let running = RwSignal::new(false);
    // One per wish: asking again after a lost answer makes no second room.
    let operation_id = StoredValue::new((String::new(), Uuid::now_v7()));
    field.on_load(|field| {
        // A field in the page takes the focus.
        field.focus().ok();
    });
    let refuse = move |why: Refused| {
        refused.set(Some(why));
        if let Some(field) = field.get_untracked() {
            field.focus().ok();
        }
    };
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let name = field.get_untracked().map(|field| field.value()).unwrap_or_default();
        if running.get_untracked() {
            return;
        }
        if let Some(why) = Refused::before_asking(Subject::Room, &name) {
            return refuse(why);
        }
        operation_id.update_value(|(asked, id)| {
            if *asked != name {
                *asked = name.clone();
                *id = Uuid::now_v7();
            }
        });
        running.set(true);
        refused.set(None);
        let api = api.clone();
        spawn_local(async move {
            let id = operation_id.with_value(|(_, id)| id.as_bytes().to_vec());
            let answer = api.create_room(pb::CreateRoomRequest { name, operation_id: id }).await;
            // The dialog may be closed by now, and its signals gone.
            running.try_set(false);
            match answer {
                Ok(answer) => {
                    if let Some(id) = chat.made_room(answer) {
                        close.try_run(());
                        navigate(&Route::Room { id, seq: None }, false);
                    }
                }
                Err(status) => {
                    if refused.try_get_untracked().is_some() {
                        refuse(Refused::by_server(&status));
                    }
                }
            }
        });
    };
    view! {
        <form class="chat-new-room" novalidate on:submit=submit>
            <h2 id="new-room-title">{text(|m| m.new_room)}</h2>
            <div class="field">
                <label class="field__label" for="room-name">{text(|m| m.room_name)}</label>
                <input
                    class="field__input"
                    id="room-name"
                    name="room"
                    autocomplete="off"
                    required
                    aria-invalid=move || refused.get().is_some().to_string()
                    aria-describedby="room-name-error room-name-hint"
                    node_ref=field
                    on:input=move |_| refused.set(None)
                />
                <p class="field__error" id="room-name-error" role="alert">
                    {move || refused.get().map(|refused| refused.sentence(Subject::Room, m.get()))}
                </p>
                <p class="field__hint" id="room-name-hint">{text(|m| m.room_name_hint)}</p>
            </div>
            <div class="chat-new-room__buttons">
                <button type="button" class="button" on:click=move |_| close.run(())>
                    {text(|m| m.cancel)}
                </button>
                <button class="button button--primary" aria-disabled=move || running.get().to_string()>
                    {text(|m| m.create)}
                </button>
            </div>
        </form>
    }
}
