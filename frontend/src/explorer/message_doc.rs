//! A message's documentation: its comment, and its fields with types and comments.

use grpc_inspect::{
    descriptor::{FieldKind, Shape},
    pool::{Field, Message},
};
use leptos::prelude::*;

use super::{
    comment::paragraphs,
    service_list::Deprecated,
    state::Explorer,
    texts::{Pick, Texts, say, use_texts},
};
use crate::i18n::fill;

/// A field as it is listed.
struct ListedField {
    name: String,
    kind: String,
    remarks: Vec<String>,
    is_deprecated: bool,
    comment: String,
    values: Vec<(String, String)>,
}

/// The documentation, closed at first.
#[component]
pub(super) fn MessageDoc(
    /// The title.
    title: Pick,
    /// Full name of the message.
    message: String,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    let name = message.clone();
    let content = move || {
        let schema = explorer.schema()?;
        let message = schema.pool.message(&name)?;
        let fields: Vec<_> = message.fields().map(|field| listed(t.get(), field)).map(field_entry).collect();
        let comment = paragraphs(message.comment());
        Some(view! {
            {(!comment.is_empty()).then(|| view! { <p class="explorer-comment" dir="auto">{comment}</p> })}
            {match fields.is_empty() {
                true => view! { <p class="field__hint">{t.get().fields_none}</p> }.into_any(),
                false => view! { <dl class="explorer-fields">{fields}</dl> }.into_any(),
            }}
        })
    };
    view! {
        <details class="explorer-doc">
            <summary>
                {say(title)}
                " "
                <code>{message}</code>
            </summary>
            {content}
        </details>
    }
}

fn field_entry(field: ListedField) -> impl IntoView {
    let values: Vec<_> = field
        .values
        .into_iter()
        .map(|(name, comment)| view! { <li><code>{name}</code>" "{comment}</li> })
        .collect();
    view! {
        <div>
            <dt>
                <code>{field.name}</code>
                " "
                <span class="explorer-fields__type">{field.kind}</span>
                {field.remarks.into_iter().map(|remark| view! { " " <span class="explorer-mark">{remark}</span> }).collect_view()}
                {field.is_deprecated.then(|| view! { " " <Deprecated /> })}
            </dt>
            <dd dir="auto">
                {field.comment}
                {(!values.is_empty()).then(|| view! { <ul class="explorer-fields__values">{values}</ul> })}
            </dd>
        </div>
    }
}

fn listed(t: &Texts, field: Field<'_>) -> ListedField {
    let mut remarks = Vec::new();
    if let Some(oneof) = field.oneof() {
        remarks.push(fill(t.field_oneof, &[("name", oneof.name())]));
    } else if field.is_required() {
        remarks.push(t.field_required.to_owned());
    } else if field.has_presence() && !matches!(field.kind(), FieldKind::Message(_)) {
        remarks.push(t.field_optional.to_owned());
    }
    if field.shape() == Shape::Repeated {
        remarks.push(t.field_list.to_owned());
    }
    let values = match field.kind() {
        FieldKind::Enum(of) => {
            of.values().map(|value| (value.name().to_owned(), paragraphs(value.comment()))).collect()
        }
        _ => Vec::new(),
    };
    ListedField {
        name: field.json_name().to_owned(),
        kind: type_name(t, field),
        remarks,
        is_deprecated: field.is_deprecated(),
        comment: paragraphs(field.comment()),
        values,
    }
}

/// The type of a field as a .proto file has it.
fn type_name(t: &Texts, field: Field<'_>) -> String {
    match field.map_entry() {
        Some((key, value)) => {
            [t.field_map, "<", &type_name(t, key), ", ", &type_name(t, value), ">"].concat()
        }
        None => match field.kind() {
            FieldKind::Enum(of) => of.full_name().to_owned(),
            FieldKind::Message(of) => Message::full_name(of).to_owned(),
            kind => scalar_name(&kind).to_owned(),
        },
    }
}

/// The word of the .proto language for a scalar type.
fn scalar_name<M, E>(kind: &FieldKind<M, E>) -> &'static str {
    match kind {
        FieldKind::Double => "double",
        FieldKind::Float => "float",
        FieldKind::Int32 => "int32",
        FieldKind::Int64 => "int64",
        FieldKind::Uint32 => "uint32",
        FieldKind::Uint64 => "uint64",
        FieldKind::Sint32 => "sint32",
        FieldKind::Sint64 => "sint64",
        FieldKind::Fixed32 => "fixed32",
        FieldKind::Fixed64 => "fixed64",
        FieldKind::Sfixed32 => "sfixed32",
        FieldKind::Sfixed64 => "sfixed64",
        FieldKind::Bool => "bool",
        FieldKind::String => "string",
        FieldKind::Bytes => "bytes",
        FieldKind::Enum(_) => "enum",
        FieldKind::Message(_) => "message",
    }
}
