//! A field: one value, a list or a map.

use grpc_inspect::{descriptor::Shape, form::FormField, json_text::Path};
use leptos::prelude::*;

use super::super::comment::paragraphs;
use super::{list_view::ListView, map_view::MapView, place::Place, value_view::ValueView};

/// The field of a message at `path`.
#[component]
pub(super) fn FieldView(
    /// The field.
    field: FormField,
    /// The place of its message.
    path: Path,
) -> impl IntoView {
    let place = Place::new(path).then(field.step());
    match field.shape {
        Shape::Repeated => view! { <ListView field place /> }.into_any(),
        Shape::Map => view! { <MapView field place /> }.into_any(),
        Shape::Single => {
            let label = Signal::stored(field.json_name.clone());
            let comment = paragraphs(&field.comment);
            // A list's items and a map's values are always there; a field may be absent.
            let can_be_absent = field.has_presence && !field.is_required;
            view! {
                <ValueView
                    control=field.control
                    place
                    label
                    comment
                    can_be_absent
                    default_json=field.default_json
                    is_deprecated=field.is_deprecated
                />
            }
            .into_any()
        }
    }
}
