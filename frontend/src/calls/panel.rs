//! The calls panel: all calls at the bottom of the page, newest first.

mod columns;

use std::time::Duration;

use leptos::prelude::*;

use self::columns::Columns;
use super::{context::use_calls, row::CallRow};
use crate::{
    chunk::{ShowPart, part},
    i18n::{plural, text, use_messages},
    icon::{Icon, IconKind},
    row_list::RowList,
    style::{self, add_style},
};

/// Interval at which the durations of running calls are updated.
const TICK: Duration = Duration::from_secs(1);

part!(CALLS, calls: view! { <CallsContent /> });

/// The panel, whose content is loaded when it is first shown. Escape closes it while the focus is inside.
#[component]
pub(crate) fn CallsPanel() -> impl IntoView {
    let calls = use_calls();
    view! {
        <section
            class="calls"
            id="calls"
            tabindex="-1"
            aria-label=text(|m| m.calls)
            on:keydown=move |event| {
                if event.key() == "Escape" && !event.default_prevented() {
                    event.prevent_default();
                    calls.close();
                }
            }
        >
            <ShowPart part=CALLS />
        </section>
    }
}

/// The calls, under a bar with what can be done with all of them.
#[component]
fn CallsContent() -> impl IntoView {
    add_style(style::CALLS);
    let m = use_messages();
    let calls = use_calls();
    calls.collect_in_panel();
    let ids = Memo::new(move |_| calls.ids());
    let tick = RwSignal::new(0);
    let clock = set_interval_with_handle(move || tick.update(|tick| *tick += 1), TICK);
    on_cleanup(move || {
        if let Ok(clock) = clock {
            clock.clear();
        }
    });
    let tick = tick.into();
    view! {
        <header class="calls__header">
            <h2>{text(|m| m.calls)}</h2>
            <p class="calls__count">
                {move || plural(ids.with(Vec::len) as u64, m.get().calls_count_one, m.get().calls_count_other)}
            </p>
            <button type="button" class="button button--quiet" on:click=move |_| calls.clear()>
                {text(|m| m.calls_clear)}
            </button>
            <button
                type="button"
                class="button button--icon"
                aria-label=text(|m| m.close)
                on:click=move |_| calls.close()
            >
                <Icon kind=IconKind::Close />
            </button>
        </header>
        <Show
            when=move || !ids.with(Vec::is_empty)
            fallback=move || view! { <p class="calls__empty">{text(|m| m.calls_empty)}</p> }
        >
            <Columns />
            <ul class="calls__list">
                <RowList each=move || ids.get() key=|id| *id let:id>
                    <CallRow id tick />
                </RowList>
            </ul>
        </Show>
    }
}
