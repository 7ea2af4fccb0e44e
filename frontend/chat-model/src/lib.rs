//! The chat of the page as plain data: it decides what to send, store and show.
//!
//! [`model::ChatModel`] is the whole: it changes by what happens and names the effects that follow. This crate knows no document,
//! signal, network, disk or clock. Its dependencies are the contract's messages, the status codes and UUIDs, so Cargo enforces that; in the
//! browser also wasm-bindgen, for the kinds of letters.

pub mod connection;
pub mod effect;
pub mod face;
pub mod find;
pub mod history;
pub mod kept;
pub mod length;
pub mod letter;
pub mod list;
pub mod message;
pub mod model;
pub mod name;
pub mod outbox;
mod read_markers;
pub mod room;
pub mod rooms;
pub mod rows;
pub mod state;
pub mod tabs;
pub mod text;
pub mod window;
