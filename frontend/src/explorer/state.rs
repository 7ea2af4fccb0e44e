//! The explorer's state, which its parts share: the server, its services, the request that is being written, the call.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use grpc_inspect::{encode, form, json_text::JsonError, pool::Method};
use leptos::{prelude::*, task::spawn_local};
use tonic::metadata::MetadataMap;

use super::{
    address::Address,
    client::Connection,
    exchange::Exchange,
    history::{self, PastCall},
    metadata::{Row, bearer},
    schema::{Schema, Unknown},
};
use crate::{
    base::server_address,
    calls::{Calls, use_calls},
    route::{Route, use_route},
    storage,
};

/// The last address in the browser's storage.
const ADDRESS_KEY: &str = "chinwag.explorer.address";

/// The services, once they are known.
#[derive(Clone)]
pub(super) enum Services {
    /// They are asked for.
    Loading,
    /// They are known.
    Known(Arc<Schema>),
    /// They are not known.
    Unknown(Arc<Unknown>),
}

/// A row of the metadata, with a number that stays with it. It outlives the view of the method that it was added in.
#[derive(Clone)]
pub(super) struct RowState {
    pub(super) number: u64,
    pub(super) row: ArcRwSignal<Row>,
}

/// The state. All copies are the same.
#[derive(Clone, Copy)]
pub(super) struct Explorer {
    /// The server.
    pub(super) address: RwSignal<Address>,
    /// Its services.
    pub(super) services: RwSignal<Services>,
    /// `package.Service/Method` of the address.
    pub(super) method: Memo<Option<String>>,
    /// The message that is being written, as JSON.
    pub(super) json: RwSignal<String>,
    /// The metadata.
    pub(super) rows: RwSignal<Vec<RowState>>,
    /// The deadline as it is typed, milliseconds.
    pub(super) deadline: RwSignal<String>,
    /// The bearer token. It is stored nowhere.
    pub(super) token: RwSignal<String>,
    /// The call.
    pub(super) exchange: Exchange,
    /// The calls of this server, newest first.
    pub(super) past: RwSignal<Vec<PastCall>>,
    /// The messages of the last call as they were written, the newest ones.
    pub(super) sent: RwSignal<Vec<String>>,
    /// Whether the last message was refused, because the server takes no more.
    pub(super) is_full: RwSignal<bool>,
    /// The call that runs, to be listed when it ends.
    pub(super) pending: StoredValue<Option<PastCall>>,
    /// Whether the options of calls are shown.
    pub(super) shows_options: RwSignal<bool>,
    /// All calls of the page.
    pub(super) calls: Calls,
    /// Whether the page's own policy has kept a request back since the last call began.
    pub(super) by_policy: RwSignal<bool>,
    connection: StoredValue<Rc<RefCell<Connection>>, LocalStorage>,
    /// Messages that were being written, by method.
    drafts: StoredValue<HashMap<String, String>>,
    /// The number of the newest load, whose result counts.
    load: StoredValue<u64>,
    /// Numbers of rows and ids.
    next_row: StoredValue<u64>,
}

impl Explorer {
    /// The explorer of the last address. Call once, in the page's component.
    pub(super) fn new() -> Explorer {
        let stored = storage::get(ADDRESS_KEY).unwrap_or_default();
        let address = Address::parse(&stored, &own_address()).unwrap_or_default();
        let route = use_route();
        let connection = Connection::new(&address, &own_address());
        let explorer = Explorer {
            past: RwSignal::new(history::load(&address)),
            address: RwSignal::new(address),
            services: RwSignal::new(Services::Loading),
            method: Memo::new(move |_| match route.get() {
                Route::Explorer { method } => method,
                _ => None,
            }),
            json: RwSignal::new(String::new()),
            rows: RwSignal::new(Vec::new()),
            deadline: RwSignal::new(String::new()),
            token: RwSignal::new(String::new()),
            exchange: Exchange::new(),
            sent: RwSignal::new(Vec::new()),
            is_full: RwSignal::new(false),
            pending: StoredValue::new(None),
            shows_options: RwSignal::new(false),
            calls: use_calls(),
            by_policy: RwSignal::new(false),
            connection: StoredValue::new_local(Rc::new(RefCell::new(connection))),
            drafts: StoredValue::new(HashMap::new()),
            load: StoredValue::new(0),
            next_row: StoredValue::new(0),
        };
        explorer.keep_drafts();
        Effect::new(move || {
            if explorer.exchange.run.outcome.with(Option::is_some) {
                explorer.list_ended();
            }
        });
        explorer
    }

    /// Goes to another server, and asks for its services.
    pub(super) fn connect(self, address: Address) {
        storage::set(ADDRESS_KEY, address.text());
        self.exchange.clear();
        self.connection.with_value(|connection| {
            *connection.borrow_mut() = Connection::new(&address, &own_address());
        });
        if self.address.get_untracked() != address {
            // It belongs to the other server.
            self.token.set(String::new());
            self.past.set(history::load(&address));
            self.address.set(address);
        }
        self.reflect();
    }

    /// Asks the server for its services.
    pub(super) fn reflect(self) {
        let number = self.begin_load();
        let connection = self.connection();
        let address = self.address.get_untracked();
        let metadata = self.reflection_metadata();
        let observer = self.calls.observer();
        spawn_local(async move {
            let result = connection.reflect(&metadata, observer).await;
            let result =
                result.map(Schema::reflected).map_err(|error| Unknown::Reflection { address, error });
            self.end_load(number, result);
        });
    }

    /// Begins to read services from elsewhere. Returns a number for [`end_load`](Self::end_load).
    pub(super) fn begin_load(self) -> u64 {
        self.by_policy.set(false);
        self.services.set(Services::Loading);
        self.load.update_value(|number| *number += 1);
        self.load.get_value()
    }

    /// Shows the services, unless others were asked for meanwhile or the page is gone.
    pub(super) fn end_load(self, number: u64, result: Result<Schema, Unknown>) {
        if self.load.try_get_value() == Some(number) {
            self.services.set(match result {
                Ok(schema) => {
                    let schema = Arc::new(schema);
                    self.calls.set_found(schema.find_method());
                    Services::Known(schema)
                }
                Err(unknown) => Services::Unknown(Arc::new(unknown)),
            });
        }
    }

    /// The connection to the server.
    pub(super) fn connection(self) -> Connection {
        self.connection.with_value(|connection| connection.borrow().clone())
    }

    /// The descriptors, once they are known.
    pub(super) fn schema(self) -> Option<Arc<Schema>> {
        match self.services.get() {
            Services::Known(schema) => Some(schema),
            _ => None,
        }
    }

    /// Reads something of the method of the address, where the server has it.
    pub(super) fn with_method<T>(self, read: impl FnOnce(Method<'_>) -> T) -> Option<T> {
        let (schema, name) = (self.schema()?, self.method.get()?);
        schema.method(&name).map(read)
    }

    /// The bytes of the message that is being written, or why it has none.
    pub(super) fn encoded(self) -> Option<Result<Vec<u8>, JsonError>> {
        let json = self.json.get();
        self.with_method(|method| encode::from_json(method.request(), &json))
    }

    /// Begins the message again, with every field.
    pub(super) fn reset(self) {
        let template = untrack(|| self.with_method(|method| form::template(method.request()).json));
        self.json.set(template.unwrap_or_default());
    }

    /// Adds a row to the metadata.
    pub(super) fn add_row(self, row: Row) -> RowState {
        self.next_row.update_value(|number| *number += 1);
        let state = RowState { number: self.next_row.get_value(), row: ArcRwSignal::new(row) };
        self.rows.update(|rows| rows.push(state.clone()));
        state
    }

    /// An id for an element, which no other has.
    pub(super) fn unique_id(self) -> String {
        self.next_row.update_value(|number| *number += 1);
        ["explorer-field-", &self.next_row.get_value().to_string()].concat()
    }

    /// The rows as they were typed.
    pub(super) fn typed_rows(self) -> Vec<Row> {
        self.rows.with(|rows| rows.iter().map(|state| state.row.get()).collect())
    }

    /// Fills the request as it was in an earlier call, for when its method is in the address.
    pub(super) fn restore(self, call: &PastCall) {
        self.rows.set(Vec::new());
        for row in &call.metadata {
            self.add_row(Row { key: row.key.clone(), value: row.value.clone() });
        }
        self.deadline.set(call.deadline.clone());
        let json = call.requests.last().cloned().unwrap_or_default();
        if self.method.get_untracked().as_deref() == Some(&call.method) {
            self.exchange.clear();
            self.json.set(json);
        } else {
            self.drafts.update_value(|drafts| {
                drafts.insert(call.method.clone(), json);
            });
        }
    }

    /// Adds the call that has ended to the earlier ones.
    pub(super) fn list_ended(self) {
        let Some(outcome) = self.exchange.run.outcome.get_untracked() else { return };
        if let Some(mut past) = self.pending.try_update_value(Option::take).flatten() {
            past.code = outcome.failure.code as i32;
            past.duration_ms = u64::try_from(outcome.duration.as_millis()).unwrap_or(u64::MAX);
            self.past.set(history::add(&self.address.get_untracked(), past));
        }
    }

    /// The token alone: reflection gets no other metadata.
    fn reflection_metadata(self) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        if let Ok(Some(token)) = self.token.with_untracked(|token| bearer(token)) {
            metadata.insert("authorization", token);
        }
        metadata
    }

    /// Gives each method the message that was last written for it, or a new one.
    fn keep_drafts(self) {
        Effect::new(move |previous: Option<Option<String>>| {
            let is_known = self.with_method(|_| ()).is_some();
            let method = self.method.get().filter(|_| is_known);
            if let Some(Some(previous)) = previous.filter(|previous| *previous != method) {
                let json = self.json.get_untracked();
                self.drafts.update_value(|drafts| {
                    drafts.insert(previous, json);
                });
            }
            let Some(name) = &method else { return method };
            self.exchange.clear();
            match self.drafts.try_update_value(|drafts| drafts.remove(name)).flatten() {
                Some(draft) => self.json.set(draft),
                None => self.reset(),
            }
            method
        });
    }
}

/// The address of the page's own server, without a slash at its end.
pub(super) fn own_address() -> String {
    server_address().trim_end_matches('/').to_owned()
}
