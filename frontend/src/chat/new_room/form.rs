//! The form of the dialog "New room".

use chat_model::name::NameKind;
use leptos::prelude::*;
use uuid::Uuid;

use super::super::{
    effects,
    name_form::{NameField, NameForm},
    store::use_chat,
};
use crate::{
    dialog::DialogHandle,
    i18n::text,
    route::{Route, navigate},
};

/// The form. It goes to the new room and closes the dialog.
#[component]
pub(super) fn NewRoomForm() -> impl IntoView {
    let dialog = expect_context::<DialogHandle>();
    let chat = use_chat();
    let form = NameForm::new(NameKind::Room);
    Effect::new(move |_| form.focus());
    // The last name with its operation id: repeating a call whose response was lost creates no second room.
    let operation = StoredValue::new((String::new(), Uuid::now_v7()));
    let create = move |name: String| {
        operation.update_value(|(last, id)| {
            if *last != name {
                *last = name.clone();
                *id = Uuid::now_v7();
            }
        });
        let operation_id = operation.with_value(|(_, id)| *id);
        async move {
            if let Some(id) = effects::create_room(chat, name, operation_id).await? {
                dialog.close();
                navigate(&Route::Room { id, seq: None }, false);
            }
            Ok(())
        }
    };
    view! {
        <form class="chat-new-room" novalidate on:submit=move |event| form.submit(&event, create)>
            <h2>{text(|m| m.new_room)}</h2>
            <NameField
                form
                id="room-name"
                name="room"
                autocomplete="off"
                label=|m| m.room_name
                hint=|m| m.room_name_hint
            />
            <div class="chat-new-room__buttons">
                <button type="button" class="button" on:click=move |_| dialog.close()>
                    {text(|m| m.cancel)}
                </button>
                <button class="button button--primary" aria-disabled=move || form.is_running().to_string()>
                    {text(|m| m.create)}
                </button>
            </div>
        </form>
    }
}
