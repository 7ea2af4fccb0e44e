//! What the end-to-end scenarios are written with: a server, browsers, and pages read by role and name.
//!
//! Knows the page only from outside: roles and accessible names, as people who cannot see it do.

mod elsewhere;
mod go_between;
pub mod guest;
pub mod names;
pub mod page;
pub mod part;
mod process;
pub mod scenario;
mod scratch;
mod server;
mod session;
mod tools;
pub mod trouble;
pub mod wait;

pub use elsewhere::Elsewhere;
pub use go_between::{GoBetween, Spoil};
pub use guest::Guest;
pub use names::{CHINESE, ENGLISH, Names};
pub use page::{Message, Page, keys};
pub use part::{Part, any, beginning, part};
pub use scenario::{Browser, World, scenario};
pub use tools::{axe, js_clients};
pub use wait::{PATIENCE, eventually, holds};

/// What a step gives: a failed step fails the scenario, saying what was waited for.
pub type Result<T = ()> = anyhow::Result<T>;
