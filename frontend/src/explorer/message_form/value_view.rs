//! A value, by its kind: an input, a choice, or the form of a message.

use grpc_inspect::{
    form::{Control, WellKnown},
    json_text::Content,
};
use leptos::prelude::*;

use super::{
    FieldList,
    choice_view::{BoolInput, EnumInput},
    frame::RemoveButton,
    place::Place,
    text_input::{JsonInput, TextInput},
};
use crate::{
    explorer::texts::use_texts,
    i18n::fill,
    icon::{Icon, IconKind},
};

/// The value; where it may be absent and is, a button that adds it.
#[component]
pub(super) fn ValueView(
    /// The kind of input.
    control: Control,
    /// The place of the value.
    place: Place,
    /// The label.
    label: Signal<String>,
    /// The documentation.
    #[prop(optional)]
    comment: String,
    /// Whether it may be absent.
    can_be_absent: bool,
    /// The JSON text of a new value.
    default_json: String,
    /// Whether it is deprecated.
    #[prop(optional)]
    is_deprecated: bool,
) -> impl IntoView {
    let t = use_texts();
    // The choices have a choice for no value.
    let has_button = can_be_absent && !matches!(control, Control::Bool | Control::Enum { .. });
    let content = place.content();
    let is_there = Memo::new(move |_| !has_button || content.with(Option::is_some));
    let add = place.clone();
    let name = move |template: &str| fill(template, &[("name", &label.get())]);
    let shown = move || {
        view! {
            <Shown control=control.clone() place=place.clone() label comment=comment.clone() can_be_absent is_deprecated />
        }
    };
    move || match is_there.get() {
        true => shown().into_any(),
        false => {
            let (place, default_json) = (add.clone(), default_json.clone());
            view! {
                <div>
                    <button
                        type="button"
                        class="button button--quiet explorer-form__add"
                        on:click=move |_| place.set(&default_json)
                    >
                        <Icon kind=IconKind::Add />
                        {move || name(t.get().add_field)}
                    </button>
                </div>
            }
            .into_any()
        }
    }
}

/// A value that is there.
#[component]
fn Shown(
    control: Control,
    place: Place,
    label: Signal<String>,
    comment: String,
    can_be_absent: bool,
    is_deprecated: bool,
) -> impl IntoView {
    // A wrapper's value is written without the wrapper.
    let control = match control {
        Control::Wrapper(inner) => *inner,
        control => control,
    };
    match control {
        Control::Message { type_name } => {
            view! { <MessageGroup type_name place label comment can_be_absent /> }.into_any()
        }
        Control::WellKnown(
            kind @ (WellKnown::Any | WellKnown::Struct | WellKnown::Value | WellKnown::ListValue),
        ) => view! { <JsonInput kind place label comment can_be_absent /> }.into_any(),
        Control::Bool => view! { <BoolInput place label comment can_be_absent is_deprecated /> }.into_any(),
        Control::Enum { values, .. } => {
            view! { <EnumInput values place label comment can_be_absent is_deprecated /> }.into_any()
        }
        control => view! { <TextInput control place label comment can_be_absent is_deprecated /> }.into_any(),
    }
}

/// The form of a message inside of another one.
#[component]
fn MessageGroup(
    type_name: String,
    place: Place,
    label: Signal<String>,
    comment: String,
    can_be_absent: bool,
) -> impl IntoView {
    let path = place.path.clone();
    let error = place.error(false);
    // A value of another kind, which only the JSON text can have put there.
    let content = place.content();
    let is_object =
        Memo::new(move |_| content.with(|content| matches!(content, None | Some(Content::Keys(_)))));
    view! {
        <fieldset class="explorer-form__group">
            <legend>{label}</legend>
            {(!comment.is_empty()).then(|| view! { <p class="field__hint explorer-form__comment">{comment}</p> })}
            <p class="field__error">{move || error.get()}</p>
            {move || is_object.get().then(|| view! { <FieldList type_name=type_name.clone() path=path.clone() /> })}
            {can_be_absent.then(|| view! { <RemoveButton place label /> })}
        </fieldset>
    }
}
