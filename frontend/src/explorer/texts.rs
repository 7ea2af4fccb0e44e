//! The explorer's texts. They are not in the page's catalogue, so that its first load does not have them; a language that lacks one does not
//! compile here either.

mod en;
mod zh;

use leptos::prelude::*;

use crate::i18n::{Language, messages, use_language};

messages! {
    /// All texts of the explorer in one language.
    Texts:

    // The server
    intro,
    server,
    server_address,
    server_placeholder,
    server_hint,
    connect,
    reload_services,
    choose_files,
    drop_files,
    loading_services,
    by_reflection,
    by_reflection_alpha,
    by_files,
    address_malformed,
    address_scheme,
    address_extra,
    address_mixed,

    // Failures
    no_reflection,
    reflection_invalid,
    reflection_missing_file,
    reflection_too_large,
    reflection_descriptors,
    reflection_too_slow,
    reflection_refused,
    reflection_failed,
    own_not_reached,
    not_reached,
    blocked_by_policy,
    answered_http,
    answered_type,
    answered_without_type,
    status_not_exposed,
    file_invalid,
    file_without_service,
    file_too_long,
    file_unreadable,
    files_mixed,
    sources_edition,
    sources_invalid,
    no_compiler,
    no_services,

    // Services and methods
    services,
    show_services,
    filter,
    filter_none,
    undescribed,
    deprecated,
    kind_unary,
    kind_server,
    kind_client,
    kind_bidi,
    no_side_effects,
    idempotent,
    choose_method,
    choose_method_text,
    method_unknown,
    method_unknown_text,
    about_request,
    about_response,
    fields_none,
    field_list,
    field_map,
    field_oneof,
    field_required,
    field_optional,

    // The request
    request,
    write_as,
    as_form,
    as_json,
    json_label,
    json_valid,
    json_place,
    start_again,
    form_needs_json,
    form_empty,
    add_field,
    add_item,
    add_entry,
    remove_field,
    remove_item,
    entry_key,
    entry_new_key,
    entry_exists,
    item,
    choose_one,
    choose_none,
    value_true,
    value_false,
    value_unset,
    hint_timestamp,
    hint_duration,
    hint_field_mask,
    hint_bytes,
    hint_json,
    hint_any,
    hint_range,
    metadata,
    metadata_key,
    metadata_value,
    metadata_add,
    metadata_remove,
    metadata_hint,
    row_no_key,
    row_key,
    row_protocol,
    row_browser,
    row_value,
    row_base64,
    deadline_hint,
    token,
    token_hint,
    token_invalid,
    token_twice,
    options,
    send_request,
    send_first,
    send_next,
    finish_hint,
    not_sent_full,

    // The response
    response,
    response_none,
    messages_of_call,
    newest_of,
    direction_sent,
    direction_received,
    details_of_status,
    detail_unknown,
    bytes_only,
    more_unknown,

    // Earlier calls
    history,
    history_none,
    history_clear,
    history_about,
    history_use,
    copy_as,
    copy_incomplete,
    copy_path,
    copy_token,
    copy_no_deadline,
    copy_rust,

    // Errors of JSON
    json_end,
    json_character,
    json_control,
    json_escape,
    json_surrogate,
    json_number,
    json_deep,
    json_twice,
    json_oneof,
    json_unknown_field,
    json_unknown_value,
    json_unknown_type,
    json_wrong,
    json_nearest,
    json_part,
    due_value,
    due_key,
    due_digit,
    due_end,
    due_or,
    expects_object,
    expects_list,
    expects_map,
    expects_string,
    expects_bool,
    expects_integer,
    expects_float,
    expects_base64,
    expects_enum,
    expects_timestamp,
    expects_duration,
    expects_field_mask,
    expects_type_url,
    expects_not_null,
    expects_finite,
}

/// Picks a text.
pub(super) type Pick = fn(&'static Texts) -> &'static str;

/// The texts in a language.
pub(super) fn texts_in(language: Language) -> &'static Texts {
    match language {
        Language::English => &en::TEXTS,
        Language::Chinese => &zh::TEXTS,
    }
}

/// All texts in the page's language.
pub(super) fn use_texts() -> Signal<&'static Texts> {
    let language = use_language();
    Signal::derive(move || texts_in(language.get()))
}

/// A text in the page's language, for a view: `{say(|t| t.send_request)}`.
pub(super) fn say(pick: Pick) -> Signal<&'static str> {
    let language = use_language();
    Signal::derive(move || pick(texts_in(language.get())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::checks;

    #[test]
    fn both_languages_have_every_text() {
        let [english, chinese] = Language::ALL.map(|language| texts_in(language).entries());
        for texts in [&english, &chinese] {
            checks::no_text_is_empty_or_padded(texts);
        }
        checks::placeholders_are_the_same(&english, &chinese);
        checks::texts_are_chinese(&chinese, &[]);
    }
}
