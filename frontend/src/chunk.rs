//! Parts of the page that are not in its program: each is a module, which is loaded when the part is first shown.
//!
//! Only `cargo xtask page` makes modules of them, by the feature `split`. Without it, as trunk builds the page, a part is
//! an ordinary function.

use std::time::Duration;

use futures_util::{FutureExt as _, future::LocalBoxFuture};
use leptos::{prelude::*, task::spawn_local};

use crate::i18n::text;

/// Time after which a part that is still loading says so.
const LOADING_SHOWN_AFTER: Duration = Duration::from_millis(300);

/// Time after the start at which all parts are loaded.
const PRELOAD_AFTER: Duration = Duration::from_secs(2);

/// A module could not be loaded: the network failed, or the server has another build.
#[derive(Debug)]
pub(crate) struct NotLoaded;

#[cfg(feature = "split")]
impl From<wasm_split_helpers::SplitLoaderError> for NotLoaded {
    fn from(_: wasm_split_helpers::SplitLoaderError) -> NotLoaded {
        NotLoaded
    }
}

/// A part of the page with its own module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) preload: fn() -> LocalBoxFuture<'static, Result<(), NotLoaded>>,
    pub(crate) view: fn() -> LocalBoxFuture<'static, Result<AnyView, NotLoaded>>,
}

impl Part {
    /// Loads the module, so that the part is there at once when it is shown.
    pub(crate) async fn load(self) -> Result<(), NotLoaded> {
        (self.preload)().await
    }

    /// The part's view, made for the current owner. `None` before the module is loaded.
    fn make(self) -> Option<AnyView> {
        (self.view)().now_or_never()?.ok()
    }
}

/// Does `work`, which loads parts, when the page has had time to start, so that they are there when they are needed.
pub(crate) fn when_idle(work: impl Future<Output = ()> + 'static) {
    set_timeout(move || spawn_local(work), PRELOAD_AFTER);
}

/// `part!(NAME, module: View)` is a [`Part`] with the view in a module of this name.
macro_rules! part {
    ($part:ident, $module:ident: $view:expr) => {
        pub(crate) const $part: $crate::chunk::Part = {
            #[cfg_attr(
                feature = "split",
                wasm_split_helpers::wasm_split($module, fallible, preload(preload))
            )]
            fn view() -> Result<leptos::prelude::AnyView, $crate::chunk::NotLoaded> {
                Ok(leptos::prelude::IntoAny::into_any($view))
            }
            $crate::chunk::Part {
                #[cfg(feature = "split")]
                preload: || Box::pin(async { Ok(preload().await?) }),
                #[cfg(not(feature = "split"))]
                preload: || Box::pin(std::future::ready(Ok(()))),
                #[cfg(feature = "split")]
                view: || Box::pin(view()),
                #[cfg(not(feature = "split"))]
                view: || Box::pin(std::future::ready(view())),
            }
        };
    };
}

pub(crate) use part;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Loading {
    /// It began a moment ago.
    Begun,
    /// It takes a while.
    Slow,
    Failed,
    Done,
}

/// Shows a part once its module is loaded. Until then it says that it loads, or that it cannot be loaded.
#[component]
pub(crate) fn ShowPart(
    /// The part.
    part: Part,
) -> impl IntoView {
    let is_loaded = part.load().now_or_never().is_some_and(|loaded| loaded.is_ok());
    let loading = RwSignal::new(if is_loaded { Loading::Done } else { Loading::Begun });
    let load = move || {
        loading.set(Loading::Begun);
        let slow = set_timeout_with_handle(
            move || {
                loading.try_maybe_update(|loading| {
                    let slow = *loading == Loading::Begun;
                    if slow {
                        *loading = Loading::Slow;
                    }
                    (slow, ())
                });
            },
            LOADING_SHOWN_AFTER,
        );
        spawn_local(async move {
            let loaded = part.load().await;
            if let Ok(slow) = slow {
                slow.clear();
            }
            // The part may be gone.
            loading.try_set(if loaded.is_ok() { Loading::Done } else { Loading::Failed });
        });
    };
    if !is_loaded {
        load();
    }
    move || match loading.get() {
        Loading::Begun => ().into_any(),
        Loading::Slow => {
            view! { <p class="part-loading" role="status">{text(|m| m.loading_part)}</p> }.into_any()
        }
        Loading::Done => part.make().into_any(),
        Loading::Failed => view! {
            <div class="part-loading" role="alert">
                <p>{text(|m| m.part_failed)}</p>
                <button type="button" class="button" on:click=move |_| load()>{text(|m| m.try_again)}</button>
            </div>
        }
        .into_any(),
    }
}
