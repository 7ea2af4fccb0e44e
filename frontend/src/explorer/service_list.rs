//! The services and their methods, with a filter.

use std::sync::Arc;

use grpc_wire::method::MethodKind;
use leptos::prelude::*;

use super::{
    schema::Schema,
    state::Explorer,
    texts::{Pick, Texts, say, use_texts},
};
use crate::{i18n::fill, js_std::lower_case, route::Route};

/// A service as it is listed.
#[derive(Clone, PartialEq, Eq)]
struct ListedService {
    name: String,
    is_deprecated: bool,
    methods: Vec<ListedMethod>,
}

/// A method as it is listed.
#[derive(Clone, PartialEq, Eq)]
struct ListedMethod {
    name: String,
    /// `package.Service/Method`.
    full_name: String,
    kind: MethodKind,
    is_deprecated: bool,
}

/// The list. On a narrow page a button shows it.
#[component]
pub(super) fn ServiceList() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    let filter = RwSignal::new(String::new());
    // A narrow page has the place of a shown method first.
    let is_open = RwSignal::new(explorer.method.get_untracked().is_none());
    Effect::new(move |previous: Option<Option<String>>| {
        let method = explorer.method.get();
        if previous.is_some_and(|previous| previous != method) && method.is_some() {
            is_open.set(false);
        }
        method
    });
    let services = Memo::new(move |_| {
        explorer.schema().map(|schema| filter.with(|filter| listed(&schema, filter))).unwrap_or_default()
    });
    let empty = move || {
        let schema = explorer.schema()?;
        let sentence = match schema.services().next() {
            None => t.get().no_services.to_owned(),
            Some(_) if services.with(Vec::is_empty) => {
                fill(t.get().filter_none, &[("text", filter.get().trim())])
            }
            Some(_) => return None,
        };
        Some(view! { <p class="explorer-services__none">{sentence}</p> })
    };
    view! {
        <nav class="explorer-services" aria-label=say(|t| t.services) data-open=move || is_open.get().then_some("")>
            <button
                type="button"
                class="button explorer-services__toggle"
                aria-expanded=move || is_open.get().to_string()
                aria-controls="explorer-services"
                on:click=move |_| is_open.update(|open| *open = !*open)
            >
                {say(|t| t.show_services)}
            </button>
            <div class="explorer-services__list" id="explorer-services">
                <input
                    class="field__input"
                    type="search"
                    autocomplete="off"
                    spellcheck="false"
                    aria-label=say(|t| t.filter)
                    placeholder=say(|t| t.filter)
                    prop:value=filter
                    on:input:target=move |event| filter.set(event.target().value())
                />
                {empty}
                <For each=move || services.get() key=|service| (service.name.clone(), service.methods.len()) let:service>
                    <ServiceEntry service />
                </For>
                <Undescribed />
            </div>
        </nav>
    }
}

/// A service with links to its methods.
#[component]
fn ServiceEntry(
    /// The service.
    service: ListedService,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let links: Vec<_> = service
        .methods
        .into_iter()
        .map(|ListedMethod { name, full_name, kind, is_deprecated }| {
            let href = Route::Explorer { method: Some(full_name.clone()) }.address();
            let current = move || {
                explorer.method.with(|method| method.as_deref() == Some(&full_name)).then_some("page")
            };
            view! {
                <li>
                    <a class="explorer-services__method" href=href aria-current=current>
                        <span class="explorer-services__name">{name}</span>
                        " "
                        <span class="explorer-services__kind">{say(kind_text(kind))}</span>
                        {is_deprecated.then(|| view! { " " <Deprecated /> })}
                    </a>
                </li>
            }
        })
        .collect();
    let (package, name) = match service.name.rsplit_once('.') {
        Some((package, name)) => ([package, "."].concat(), name.to_owned()),
        None => (String::new(), service.name.clone()),
    };
    view! {
        <section class="explorer-services__service">
            <h2>
                <span class="explorer-services__package">{package}</span>
                <wbr />
                {name}
                {service.is_deprecated.then(|| view! { " " <Deprecated /> })}
            </h2>
            <ul>{links}</ul>
        </section>
    }
}

/// The services that the server names and does not describe.
#[component]
fn Undescribed() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let names = move || {
        let schema = explorer.schema().filter(|schema| !schema.undescribed.is_empty())?;
        let names: Vec<_> = schema
            .undescribed
            .iter()
            .map(|(name, reason)| view! { <li>{name.clone()}<p class="field__hint" lang="en">{reason.clone()}</p></li> })
            .collect();
        Some(view! {
            <section class="explorer-services__service">
                <h2>{say(|t| t.undescribed)}</h2>
                <ul>{names}</ul>
            </section>
        })
    };
    view! { {names} }
}

/// The mark of a deprecated element.
#[component]
pub(super) fn Deprecated() -> impl IntoView {
    view! { <span class="explorer-mark" data-mark="deprecated">{say(|t| t.deprecated)}</span> }
}

/// The kind of a method in words.
pub(super) fn kind_text(kind: MethodKind) -> Pick {
    match kind {
        MethodKind::Unary => |t: &'static Texts| t.kind_unary,
        MethodKind::ServerStreaming => |t: &'static Texts| t.kind_server,
        MethodKind::ClientStreaming => |t: &'static Texts| t.kind_client,
        MethodKind::Bidirectional => |t: &'static Texts| t.kind_bidi,
    }
}

/// The services with a method whose name has the text, in any case.
fn listed(schema: &Arc<Schema>, filter: &str) -> Vec<ListedService> {
    let filter = lower_case(filter.trim());
    let services = schema.services().map(|service| {
        let methods = service.methods().filter_map(|method| {
            let full_name = [service.full_name(), "/", method.name()].concat();
            lower_case(&full_name).contains(&filter).then(|| ListedMethod {
                name: method.name().to_owned(),
                full_name,
                kind: method.kind(),
                is_deprecated: method.is_deprecated(),
            })
        });
        ListedService {
            name: service.full_name().to_owned(),
            is_deprecated: service.is_deprecated(),
            methods: methods.collect(),
        }
    });
    services.filter(|service| filter.is_empty() || !service.methods.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use grpc_inspect::pool::Pool;

    use super::*;

    #[test]
    fn methods_are_found_by_any_part_of_their_name() {
        let schema =
            Arc::new(Schema::of_files(Pool::from_set(proto::FILE_DESCRIPTOR_SET).unwrap(), String::new()));
        let found = |filter| -> Vec<String> {
            let services = listed(&schema, filter);
            services.into_iter().flat_map(|service| service.methods).map(|method| method.name).collect()
        };
        assert_eq!(found(" sayhello ").len(), 4);
        assert_eq!(found("Greeter/SayHelloB"), ["SayHelloBidiStream"]);
        assert!(found("nothing").is_empty());
        assert_eq!(listed(&schema, "").len(), 2);
    }
}
