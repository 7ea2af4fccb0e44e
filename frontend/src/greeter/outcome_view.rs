//! The outcome of a card's call.

mod cancel_button;
mod facts;
mod failure_view;

pub(super) use self::{cancel_button::CancelButton, facts::Facts, failure_view::FailureView};
