//! The page: a Greeter and a live chat over gRPC-Web.
//!
//! A library, so that what needs no browser is tested on the host. Only [`api`] names the generated
//! clients; only [`chat`] knows rooms and messages.

#![expect(missing_debug_implementations, reason = "leptos' own types print nothing")]

pub mod api;
pub mod app;
pub mod chat;
pub mod i18n;
pub mod route;
pub mod storage;
pub mod theme;
