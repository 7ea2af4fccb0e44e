//! A form with one name: of a user who joins, or of a new room. Its state, its field, and why a name is refused.

mod refusal;

use chat_model::name::NameKind;
use leptos::{ev, html, prelude::*, task::spawn_local};

pub(super) use self::refusal::Refusal;
use crate::i18n::{Messages, Text, text, use_messages};

/// The state of the form. All copies are the same form.
#[derive(Clone, Copy)]
pub(super) struct NameForm {
    kind: NameKind,
    field: NodeRef<html::Input>,
    /// The field of the recovery code, in the form that has one.
    pub(super) code: NodeRef<html::Input>,
    refusal: RwSignal<Option<Refusal>>,
    is_running: RwSignal<bool>,
}

impl NameForm {
    pub(super) fn new(kind: NameKind) -> NameForm {
        NameForm {
            kind,
            field: NodeRef::new(),
            code: NodeRef::new(),
            refusal: RwSignal::new(None),
            is_running: RwSignal::new(false),
        }
    }

    /// Makes a call with the name, unless the name is refused or a call is running.
    pub(super) fn submit<F>(self, event: &ev::SubmitEvent, call: impl FnOnce(String) -> F)
    where
        F: Future<Output = Result<(), Refusal>> + 'static,
    {
        event.prevent_default();
        if self.is_running.get_untracked() {
            return;
        }
        let name = self.field.get_untracked().map(|field| field.value()).unwrap_or_default();
        if let Some(refusal) = Refusal::before_call(self.kind, &name) {
            return self.refuse(refusal);
        }
        self.is_running.set(true);
        self.refusal.set(None);
        let call = call(name);
        spawn_local(async move {
            let result = call.await;
            // The form, and its signals, may be gone.
            self.is_running.try_set(false);
            if let Err(refusal) = result {
                self.refuse(refusal);
            }
        });
    }

    pub(super) fn focus(self) {
        if let Some(field) = self.field.try_get_untracked().flatten() {
            // An input in the document takes the focus.
            field.focus().ok();
        }
    }

    pub(super) fn is_running(self) -> bool {
        self.is_running.get()
    }

    /// The sentence of the refusal, at the field that it is about.
    pub(super) fn error(self, at_code: bool, m: &Messages) -> Option<String> {
        let refusal = self.refusal.get().filter(|refusal| refusal.is_about_code() == at_code);
        refusal.map(|refusal| refusal.sentence(self.kind, m))
    }

    /// The person changes what was refused.
    pub(super) fn forget_refusal(self) {
        self.refusal.set(None);
    }

    fn refuse(self, refusal: Refusal) {
        let is_about_code = refusal.is_about_code();
        self.refusal.try_set(Some(refusal));
        match self.code.try_get_untracked().flatten().filter(|_| is_about_code) {
            // An input in the document takes the focus.
            Some(code) => drop(code.focus()),
            None => self.focus(),
        }
    }
}

/// The labelled input with its hint and error.
#[component]
pub(super) fn NameField(
    /// The form.
    form: NameForm,
    /// The input's id, unique in the page.
    id: &'static str,
    /// The input's name.
    name: &'static str,
    /// The value of `autocomplete`.
    autocomplete: &'static str,
    /// The label.
    label: Text,
    /// Further explanation.
    #[prop(optional)]
    hint: Option<Text>,
    /// The id of an explanation above the field, which screen readers read with it.
    #[prop(optional)]
    explanation_id: &'static str,
) -> impl IntoView {
    let m = use_messages();
    let error_id = [id, "-error"].concat();
    let hint_id = [id, "-hint"].concat();
    let explained_by = if hint.is_some() { hint_id.as_str() } else { explanation_id };
    let described_by = [error_id.as_str(), " ", explained_by].concat();
    let error = Memo::new(move |_| form.error(false, m.get()));
    view! {
        <div class="field">
            <label class="field__label" for=id>{text(label)}</label>
            <input
                class="field__input"
                id=id
                name=name
                autocomplete=autocomplete
                spellcheck="false"
                required
                aria-invalid=move || error.with(Option::is_some).to_string()
                aria-describedby=described_by
                node_ref=form.field
                on:input=move |_| form.forget_refusal()
            />
            <p class="field__error" id=error_id role="alert">{error}</p>
            {hint.map(|hint| view! { <p class="field__hint" id=hint_id>{text(hint)}</p> })}
        </div>
    }
}
