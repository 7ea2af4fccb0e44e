//! A frame of a call: a line with its start, which opens to its content and its bytes.

mod frame_body;
mod frame_line;
mod frame_row;
mod hex_view;
mod legend;
mod part_text;

pub(super) use self::frame_row::FrameRow;
pub(crate) use self::{
    frame_line::FrameLine,
    hex_view::HexView,
    part_text::{FrameKind, byte_count},
};
