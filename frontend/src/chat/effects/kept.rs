//! The copy of the chat in the browser's database (IndexedDB): read at a start without the server or its stream, written behind, removed at
//! the end of the session. Where there is no database nothing is kept, and nothing fails.
//!
//! Reading and writing are a module of their own, which is loaded when it is first needed (see `crate::chunk`).

use std::time::Duration;

use chat_model::{
    kept::{Kept, KeptList, encode_room},
    model::{ChatModel, Phase},
};
use futures_util::{FutureExt as _, future::LocalBoxFuture};
use js_sys::{Array, Uint8Array};
use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};

use crate::{chat::store::Chat, chunk::NotLoaded, storage};

#[wasm_bindgen(module = "/src/chat/effects/kept.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn read(keys: Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    async fn write(keys: Array, values: Array, others: Array) -> Result<JsValue, JsValue>;
    fn clear();
}

/// Key in the local storage, set while there may be a copy: without it the database is not opened.
const EXISTS_KEY: &str = "chinwag.kept";

/// Keys of the entries. Room ids follow the second.
const LIST_KEY: &str = "list";
const ROOM_KEY: &str = "room/";

/// Time after a change at which the copy is brought up to date.
const SAVE_AFTER: Duration = Duration::from_secs(3);

/// Time without a frame of the stream after which a start shows the copy, when it was read too late for the question for the session.
const LOAD_AFTER: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Job {
    Load { step: Phase },
    Save,
}

/// Shows the copy, while the rooms are not known, unless this step of the start is over before the copy was read: the stream of the next
/// step has begun without the copy's cursors.
pub(super) fn load(chat: Chat) {
    let step = chat.read_model(ChatModel::phase);
    if !chat.read_model(ChatModel::is_ready) && storage::get(EXISTS_KEY).is_some() {
        spawn_local(run(chat, Job::Load { step }));
    }
}

/// The same when this step of the start takes a while.
pub(super) fn load_later(chat: Chat) {
    let step = chat.read_model(ChatModel::phase);
    let load_in_step = move || {
        if chat.read_model(ChatModel::phase) == step {
            load(chat);
        }
    };
    set_timeout(load_in_step, LOAD_AFTER);
}

/// Brings the copy up to date soon. One tab does so for all.
pub(super) fn save_later(chat: Chat) {
    let is_planned =
        chat.runtime.try_update_value(|runtime| std::mem::replace(&mut runtime.is_save_planned, true));
    if is_planned != Some(false) {
        return;
    }
    let save = move || {
        let is_follower = chat.runtime.try_update_value(|runtime| {
            runtime.is_save_planned = false;
            runtime.tabs.is_follower()
        });
        if is_follower == Some(false) {
            spawn_local(run(chat, Job::Save));
        }
    };
    set_timeout(save, SAVE_AFTER);
}

/// Brings the copy up to date now: the tab is hidden, and may be closed next.
pub(in crate::chat) fn save_now(chat: Chat) {
    if chat.read_model(ChatModel::phase) == Phase::SignedIn {
        spawn_local(run(chat, Job::Save));
    }
}

/// Removes the copy.
pub(super) fn forget() {
    if storage::get(EXISTS_KEY).is_some() {
        storage::remove(EXISTS_KEY);
        clear();
    }
}

async fn run(chat: Chat, job: Job) {
    #[cfg(feature = "split")]
    let task = start(chat, job).await;
    #[cfg(not(feature = "split"))]
    let task = start(chat, job);
    // Without the module there is no copy.
    if let Ok(task) = task {
        task.await;
    }
}

#[cfg_attr(feature = "split", wasm_split_helpers::wasm_split(kept, fallible))]
fn start(chat: Chat, job: Job) -> Result<LocalBoxFuture<'static, ()>, NotLoaded> {
    Ok(match job {
        Job::Load { step } => load_now(chat, step).map(drop).boxed_local(),
        Job::Save => save(chat).map(drop).boxed_local(),
    })
}

async fn load_now(chat: Chat, step: Phase) -> Option<()> {
    let list = read_entries(&[LIST_KEY.to_owned()]).await?.pop()??;
    let list = KeptList::decode(&list)?;
    let keys: Vec<String> =
        list.rooms.iter().map(|room| room_key(room.room.as_ref().map_or("", |room| &room.id))).collect();
    let entries = read_entries(&keys).await?;
    let kept = Kept::new(list, entries.into_iter());
    if chat.read_model(ChatModel::phase) == step {
        chat.act(|model, _| model.restore(kept));
    }
    Some(())
}

async fn save(chat: Chat) -> Option<()> {
    let new = chat.take_to_keep()?;
    let user_id = new.list.user.id.clone();
    let mut keys = vec![LIST_KEY.to_owned()];
    keys.extend(new.changed.iter().map(|(id, _)| room_key(id)));
    let mut earlier = read_entries(&keys).await?.into_iter();
    let list = earlier.next().flatten().and_then(|list| KeptList::decode(&list));
    if list.is_some_and(|list| list.user != new.list.user) {
        clear();
        earlier = Vec::new().into_iter();
    }
    let mut values = vec![new.list.encode()];
    for (_, messages) in new.changed {
        values.push(encode_room(earlier.next().flatten().as_deref(), messages));
    }
    // The session may have ended meanwhile.
    if chat.read(|state| state.user_id() != user_id) {
        return None;
    }
    storage::set(EXISTS_KEY, "1");
    let values = values.iter().map(|value| JsValue::from(Uint8Array::from(value.as_slice()))).collect();
    let others: Vec<String> = new.room_ids.iter().map(|id| room_key(id)).collect();
    // A full disk keeps the earlier copy.
    write(strings(&keys), values, strings(&others)).await.ok()?;
    Some(())
}

fn room_key(id: &str) -> String {
    [ROOM_KEY, id].concat()
}

fn strings(texts: &[String]) -> Array {
    texts.iter().map(|text| JsValue::from_str(text)).collect()
}

/// The values of these keys. `None` without a database.
async fn read_entries(keys: &[String]) -> Option<Vec<Option<Vec<u8>>>> {
    let values: Array = read(strings(keys)).await.ok()?.dyn_into().ok()?;
    Some(values.iter().map(|value| Some(value.dyn_ref::<Uint8Array>()?.to_vec())).collect())
}
