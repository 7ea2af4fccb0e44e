//! Descriptors from files that a person drops or chooses.

use grpc_inspect::pool::Pool;
use js_sys::{Array, Function, Reflect, Uint8Array};
use leptos::{ev, prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::{
    schema::{Schema, Unknown},
    sources,
    state::Explorer,
};
use crate::chunk::NotLoaded;

/// Longest file that is read, bytes.
const MAX_FILE_BYTES: f64 = 16.0 * 1024.0 * 1024.0;

/// Takes files that are dropped anywhere in the page while the explorer is shown. Returns whether files are over the page.
pub(super) fn follow_drops(explorer: Explorer) -> RwSignal<bool> {
    let is_dragged = RwSignal::new(false);
    let over = window_event_listener(ev::dragover, move |event| {
        if files_of(event.data_transfer()).is_some() {
            event.prevent_default();
            is_dragged.set(true);
        }
    });
    let leave = window_event_listener(ev::dragleave, move |event| {
        // Only a pointer that leaves the page comes from nowhere.
        if event.related_target().is_none() {
            is_dragged.set(false);
        }
    });
    let drop = window_event_listener(ev::drop, move |event| {
        is_dragged.set(false);
        if let Some(files) = files_of(event.data_transfer()) {
            event.prevent_default();
            open(explorer, &files);
        }
    });
    on_cleanup(move || {
        over.remove();
        leave.remove();
        drop.remove();
    });
    is_dragged
}

/// The list of files of a transfer that has some.
fn files_of(transfer: Option<web_sys::DataTransfer>) -> Option<JsValue> {
    let transfer = transfer.filter(|transfer| transfer.types().includes(&"Files".into(), 0))?;
    Reflect::get(&transfer, &"files".into()).ok()
}

/// Reads the files of a `FileList`, and shows their services.
pub(super) fn open(explorer: Explorer, files: &JsValue) {
    let files: Vec<JsValue> = Array::from(files).iter().collect();
    if files.is_empty() {
        return;
    }
    explorer.exchange.clear();
    let number = explorer.begin_load();
    spawn_local(async move {
        let result = read_all(&files).await;
        explorer.end_load(number, result);
    });
}

async fn read_all(files: &[JsValue]) -> Result<Schema, Unknown> {
    let mut read = Vec::new();
    for file in files {
        let name = name_of(file);
        if Reflect::get(file, &"size".into()).ok().and_then(|size| size.as_f64()).unwrap_or_default()
            > MAX_FILE_BYTES
        {
            return Err(Unknown::TooLong { name });
        }
        let bytes = bytes_of(file).await.map_err(|_| Unknown::Unreadable { name: name.clone() })?;
        read.push((name, bytes));
    }
    let is_source = |(name, _): &(String, Vec<u8>)| name.ends_with(".proto");
    if !read.iter().any(is_source) {
        return schema_of(read);
    }
    if !read.iter().all(is_source) {
        return Err(Unknown::Mixed);
    }
    let names = names_of(&read);
    let texts = read.into_iter().map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned()));
    let texts: Vec<_> = texts.collect();
    if let Some((name, _)) = texts.iter().find(|(_, text)| sources::has_edition(text)) {
        return Err(Unknown::Edition { name: name.clone() });
    }
    match sources::compile(texts).await {
        Ok(Ok(set)) => schema_of(vec![(names, set)]),
        Ok(Err(error)) => Err(Unknown::Sources { error }),
        Err(NotLoaded) => Err(Unknown::NoCompiler),
    }
}

fn names_of(files: &[(String, Vec<u8>)]) -> String {
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    names.join(", ")
}

/// The services of files by their names.
fn schema_of(files: Vec<(String, Vec<u8>)>) -> Result<Schema, Unknown> {
    let mut builder = grpc_inspect::pool::PoolBuilder::new();
    let names = names_of(&files);
    for (name, bytes) in &files {
        builder.add_set(bytes).map_err(|error| Unknown::File { name: name.clone(), error })?;
    }
    let pool: Pool = builder.build().map_err(|error| Unknown::File { name: names.clone(), error })?;
    if pool.services().next().is_none() {
        return Err(Unknown::NoService { name: names });
    }
    Ok(Schema::of_files(pool, names))
}

fn name_of(file: &JsValue) -> String {
    Reflect::get(file, &"name".into()).ok().and_then(|name| name.as_string()).unwrap_or_default()
}

async fn bytes_of(file: &JsValue) -> Result<Vec<u8>, JsValue> {
    let read: Function = Reflect::get(file, &"arrayBuffer".into())?.dyn_into()?;
    let promise: js_sys::Promise = read.call0(file)?.dyn_into()?;
    let buffer = JsFuture::from(promise).await?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
        (name.to_owned(), bytes.to_vec())
    }

    #[test]
    fn a_set_gives_its_services() {
        let schema = schema_of(vec![file("all.binpb", proto::FILE_DESCRIPTOR_SET)]).unwrap();
        let names: Vec<_> = schema.services().map(|service| service.full_name().to_owned()).collect();
        assert_eq!(names, ["chat.v1.ChatService", "helloworld.Greeter"]);
    }

    #[test]
    fn other_files_are_refused_with_their_names() {
        for bytes in [&b"not descriptors"[..], &[0x0a, 0x05, 0x01]] {
            let Err(Unknown::File { name, .. }) = schema_of(vec![file("a.binpb", bytes)]) else {
                panic!("{bytes:?}")
            };
            assert_eq!(name, "a.binpb");
        }
        // A file with a name, and without services: field 1 of field 1.
        let set = [0x0a, 0x09, 0x0a, 0x07, b'a', b'.', b'p', b'r', b'o', b't', b'o'];
        assert!(matches!(schema_of(vec![file("a", &set)]), Err(Unknown::NoService { .. })));
    }
}
