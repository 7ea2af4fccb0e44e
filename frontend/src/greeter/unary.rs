//! The card of `SayHello`.

use leptos::prelude::*;

use super::{
    card_title::CardTitle,
    field::{Field, TextField},
    input::{deadline, name},
};
use crate::{
    api::use_greeter,
    i18n::text,
    run::{CancelButton, Facts, FailureView, Run},
};

#[component]
pub(super) fn UnaryCard() -> impl IntoView {
    let greeter = use_greeter();
    let run = Run::new();
    let name_field = Field::new("World");
    let deadline_field = Field::new("");
    let reply = RwSignal::new(String::new());
    let say_hello = move || {
        let name = name_field.read(name)?;
        let deadline = deadline_field.read(deadline)?;
        let greeter = greeter.clone();
        reply.set(String::new());
        run.start(async move {
            let response = greeter.say_hello(name, deadline).await?;
            run.carried_by(&response);
            reply.set(response.into_inner().message);
            Ok(())
        });
        Some(())
    };
    view! {
        <section class="card">
            <CardTitle method="SayHello" mode=|m| m.mode_unary text=|m| m.mode_unary_text />
            <form
                class="card__form"
                aria-label="SayHello"
                novalidate
                on:submit=move |event| {
                    event.prevent_default();
                    // `None`: a field shows its error, and an older result would belong to other input.
                    if say_hello().is_none() && run.forget() {
                        reply.set(String::new());
                    }
                }
            >
                <div class="card__fields">
                    <TextField id="unary-name" field=name_field label=|m| m.name />
                    <TextField
                        id="unary-deadline"
                        field=deadline_field
                        label=|m| m.deadline
                        hint=|m| m.deadline_hint_unary
                        numeric=true
                    />
                </div>
                <div class="card__buttons">
                    <button type="submit" class="button button--primary">{text(|m| m.say_hello)}</button>
                    <CancelButton run />
                </div>
                <div class="result" role="status">
                    <p class="result__greeting">{reply}</p>
                    <FailureView run />
                </div>
                <Facts run />
            </form>
        </section>
    }
}
