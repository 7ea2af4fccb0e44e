//! The parts of the end-to-end scenarios: a server, browsers, and pages whose parts are found by role and name.
//!
//! It knows the page only from outside, by roles and accessible names, as a screen reader does.

mod driver;
mod faulty_proxy;
mod files;
mod gateway;
pub mod guest;
pub mod names;
mod other_origin;
pub mod page;
pub mod page_error;
pub mod part;
mod relay;
pub mod scenario;
mod servers;

pub use faulty_proxy::{Fault, FaultyProxy};
pub use files::{axe, dist, js_clients, route_guide};
pub use gateway::start_gateway;
pub use guest::Guest;
pub use harness::eventually;
pub use names::{CHINESE, ENGLISH, Names};
pub use other_origin::OtherOrigin;
pub use page::{Message, Page, keys};
pub use part::{Part, any, beginning, part};
pub use relay::Relay;
pub use scenario::{Browser, World, cluster_scenario, scenario};

/// The result of a step: an error fails the scenario and names the missing condition.
pub type Result<T = ()> = anyhow::Result<T>;
