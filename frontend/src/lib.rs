//! The page: a Greeter and a live chat over gRPC-Web.
//!
//! A library, so that logic is tested on the host. Only `api` names the generated clients; the chat's logic is the crate `chat-model`,
//! and everything of it that talks to the network, the storage or timers is in `chat/effects.rs`.

#![expect(unreachable_pub, reason = "leptos' component macro makes every component's properties public")]

mod account;
mod api;
mod app;
mod base;
mod calls;
mod chat;
mod choices;
mod chunk;
mod clipboard;
mod copy_button;
mod dialog;
mod drafts;
mod duration_text;
mod explorer;
mod face;
mod file_drop;
mod focus;
mod greeter;
mod header;
mod i18n;
mod icon;
mod intl;
mod js_std;
mod keys;
mod microtasks;
mod new_version;
mod not_found;
mod preference;
mod route;
mod row_list;
mod run;
mod scoped;
mod session_context;
mod settings;
mod shell;
mod sign_out;
mod status;
mod storage;
mod style;
mod theme;
mod viewport;

#[cfg(test)]
mod style_tests;
#[cfg(all(test, target_arch = "wasm32"))]
mod web_tests;

pub use self::app::{App, start};
