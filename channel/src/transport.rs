//! What carries a call: one type per target, with the same two functions.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use self::native::Transport;
#[cfg(target_arch = "wasm32")]
pub(crate) use self::web::Transport;
