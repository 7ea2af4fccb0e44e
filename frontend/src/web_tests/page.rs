//! The page in the browser: routes, language, theme. They need no server.

use std::time::Duration;

use leptos::mount::mount_to;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{HtmlElement, MouseEvent, MouseEventInit};

use crate::{
    app::App,
    i18n::Language,
    intl::{self, Moment},
    route::{Route, navigate},
};

/// Longest time that a test waits for the page.
const PATIENCE: Duration = Duration::from_secs(5);

fn document() -> web_sys::Document {
    web_sys::window().unwrap().document().unwrap()
}

fn path() -> String {
    web_sys::window().unwrap().location().pathname().unwrap()
}

fn element(selector: &str) -> HtmlElement {
    let found = document().query_selector(selector).unwrap();
    found.unwrap_or_else(|| panic!("no {selector}")).unchecked_into()
}

fn has(selector: &str) -> bool {
    document().query_selector(selector).unwrap().is_some()
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let mut waited = Duration::ZERO;
    while !condition() {
        assert!(waited < PATIENCE, "nothing showed {what}, in {}", document().body().unwrap().inner_text());
        tonic_web_channel::rt::sleep(Duration::from_millis(10)).await;
        waited += Duration::from_millis(10);
    }
}

/// Opens the person's menu, whose content is drawn then.
async fn open_menu() {
    element("#person-button").click();
    until("the menu", || has("a[href='/settings']")).await;
}

/// The application in an element of its own. Dropping it restores the address.
struct Mounted<H> {
    root: HtmlElement,
    address: String,
    _handle: H,
}

fn mount(route: &Route) -> Mounted<impl Sized> {
    let address = web_sys::window().unwrap().location().href().unwrap();
    navigate(route, true);
    let root: HtmlElement = document().create_element("div").unwrap().unchecked_into();
    document().body().unwrap().append_child(&root).unwrap();
    Mounted { _handle: mount_to(root.clone(), App), root, address }
}

impl<H> Drop for Mounted<H> {
    fn drop(&mut self) {
        self.root.remove();
        let history = web_sys::window().unwrap().history().unwrap();
        history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&self.address)).unwrap();
    }
}

#[wasm_bindgen_test]
async fn links_and_the_back_button_work_without_a_reload() {
    let _page = mount(&Route::Greeter);
    until("the Greeter", || has("form[aria-label=SayHello]")).await;
    open_menu().await;
    element("a[href='/settings']").click();
    until("the settings", || has(".settings")).await;
    assert_eq!(path(), "/settings");
    assert!(document().title().starts_with("Settings") || document().title().starts_with("设置"));
    web_sys::window().unwrap().history().unwrap().back().unwrap();
    until("the Greeter again", || has("form[aria-label=SayHello]")).await;
    assert_eq!(path(), "/greeter");
}

#[wasm_bindgen_test]
async fn the_browser_handles_a_click_with_a_modifier() {
    let _page = mount(&Route::Greeter);
    until("the Greeter", || has("form[aria-label=SayHello]")).await;
    open_menu().await;
    let options = MouseEventInit::new();
    options.set_bubbles(true);
    options.set_cancelable(true);
    options.set_ctrl_key(true);
    let click = MouseEvent::new_with_mouse_event_init_dict("click", &options).unwrap();
    // The last listener keeps the test page where it is.
    let guard = wasm_bindgen::closure::Closure::<dyn Fn(MouseEvent)>::new(move |event: MouseEvent| {
        assert!(!event.default_prevented(), "the page handled a click that was meant for the browser");
        event.prevent_default();
    });
    let window = web_sys::window().unwrap();
    window.add_event_listener_with_callback("click", guard.as_ref().unchecked_ref()).unwrap();
    element("a[href='/settings']").dispatch_event(&click).unwrap();
    window.remove_event_listener_with_callback("click", guard.as_ref().unchecked_ref()).unwrap();
    assert_eq!(path(), "/greeter");
}

#[wasm_bindgen_test]
async fn language_and_theme_change_the_page_and_are_remembered() {
    let storage = web_sys::window().unwrap().local_storage().unwrap().unwrap();
    storage.clear().unwrap();
    {
        let _page = mount(&Route::Settings);
        until("the settings", || has("input[name='settings-language']")).await;
        let choose = |group: &str, place: usize| {
            let group = document().query_selector_all(&format!("input[name='settings-{group}']")).unwrap();
            group.item(place as u32).unwrap().unchecked_into::<HtmlElement>().click();
        };
        let root = document().document_element().unwrap();
        choose("language", 1);
        until("Chinese", || element("h1").text_content().unwrap() == "设置").await;
        assert_eq!(root.get_attribute("lang").as_deref(), Some("zh-CN"));
        choose("theme", 1);
        until("the dark theme", || root.get_attribute("data-theme").as_deref() == Some("dark")).await;
    }
    let _page = mount(&Route::Settings);
    until("Chinese again", || has("h1") && element("h1").text_content().unwrap() == "设置").await;
    storage.clear().unwrap();
}

#[wasm_bindgen_test]
fn moments_and_numbers_are_in_the_pages_language() {
    // Noon in the local time zone, so that the date is the same everywhere.
    let date = js_sys::Date::new_with_year_month_day_hr(2026, 10, 24, 12);
    let noon = date.get_time() as i64;
    assert_eq!(intl::moment(Language::English, Moment::Time, noon), "12:00");
    assert_eq!(intl::moment(Language::English, Moment::DayWithYear, noon), "Tuesday, November 24, 2026");
    assert_eq!(intl::moment(Language::Chinese, Moment::Day, noon), "11月24日星期二");
    assert_eq!(intl::number(Language::English, 1_234_567), "1,234,567");
}
