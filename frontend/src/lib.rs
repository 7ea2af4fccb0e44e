//! The page: a Greeter and a live chat over gRPC-Web.
//!
//! A library, so that what needs no browser is tested on the host. Only [`api`] names the generated
//! clients; only [`chat`] knows rooms and messages.

#![expect(missing_debug_implementations, reason = "leptos' own types print nothing")]
#![expect(unreachable_pub, reason = "leptos' component macro makes every component public")]

pub mod api;
pub mod app;
pub mod calls;
pub mod chat;
mod choices;
mod greeter;
mod header;
pub mod i18n;
pub mod icon;
pub mod intl;
pub mod keys;
pub mod lean;
pub mod route;
mod settings;
pub mod status;
pub mod storage;
pub mod theme;
mod viewport;

#[cfg(test)]
mod style_tests;
