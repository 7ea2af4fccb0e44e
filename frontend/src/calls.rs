//! All calls of the page: collected from the channel's events, and shown by the calls panel.

mod code_to_copy;
mod collector;
mod context;
mod details;
#[cfg(target_arch = "wasm32")]
mod devtools;
mod frame_view;
mod grpcurl;
mod log;
mod message;
mod metadata;
mod panel;
mod row;
mod types;
mod waiting;

pub(crate) use self::{
    code_to_copy::CodeToCopy,
    context::{Calls, provide_calls, use_calls},
    details::MetadataList,
    frame_view::{FrameKind, FrameLine, HexView, byte_count},
    message::{COMPACT, PRETTY, problem_text},
    metadata::{Entry, decode as entries},
    panel::CallsPanel,
    types::{FindMethod, FoundMethod},
};
