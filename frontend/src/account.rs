//! The user's identity: the recovery code, and the sessions.

mod code_form;
mod recovery_notice;
mod recovery_settings;
mod session_list;

pub(crate) use self::{
    recovery_notice::RecoveryNotice, recovery_settings::RecoverySettings, session_list::SessionList,
};
