//! The keyboard alone, and announcements for screen readers.

use anyhow::bail;
use e2e::{
    Browser, CHINESE, ENGLISH, Names, Page, Part, Result, any, beginning, eventually, keys, part, scenario,
};

const N: &Names = &ENGLISH;

/// Presses Tab until this part has the focus.
async fn tab_to(page: &Page, role: &str, name: &str) -> Result {
    let mut seen = Vec::new();
    for _ in 0..40 {
        let focused = page.focused().await?;
        if focused.0 == role && focused.1.starts_with(name) {
            return is_visible_focus(page).await;
        }
        seen.push(focused);
        page.press(keys::TAB).await?;
    }
    bail!("Tab never comes to {role} {name:?}, only to {seen:?}")
}

/// Fails when the focus is not visible.
async fn is_visible_focus(page: &Page) -> Result {
    let shown: bool = page
        .run(
            "// The element's own outline, or that of the box around a field.
             const around = [document.activeElement, document.activeElement.parentElement];
             return around.map((element) => getComputedStyle(element)).some(
                 (style) => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2)",
            vec![],
        )
        .await?;
    if shown { Ok(()) } else { bail!("the focus on {:?} can not be seen", page.focused().await?) }
}

#[tokio::test]
async fn the_keyboard_alone_joins_writes_and_closes_dialogs() -> Result {
    scenario(async |world| {
        let page = world.browser("Ada", Browser::default()).await?;
        page.open("/").await?;
        page.part(&part("form", N.join)).await?;
        tab_to(&page, "textbox", N.your_name).await?;
        page.type_keys("Ada").await?;
        page.press(keys::ENTER).await?;

        page.part(&part("textbox", N.message)).await?;
        tab_to(&page, "textbox", N.message).await?;
        page.type_keys("by keys").await?;
        page.press(keys::ENTER).await?;
        page.shows_stored("by keys").await?;

        tab_to(&page, "button", N.menu).await?;
        page.press(keys::ENTER).await?;
        page.part(&part("radio", N.dark)).await?;
        tab_to(&page, "radio", "").await?;
        page.press(keys::ESCAPE).await?;
        page.gone(&any("radio")).await?;
        focuses_menu_button(&page).await?;

        tab_to(&page, "button", N.new_room).await?;
        page.press(keys::SPACE).await?;
        page.part(&any("dialog")).await?;
        eventually("the focus in the dialog's field", async || {
            let focused = page.focused().await?;
            if focused.1 == N.room_name { Ok(()) } else { bail!("it is at {focused:?}") }
        })
        .await?;
        page.press(keys::ESCAPE).await?;
        page.gone(&any("dialog")).await?;
        eventually("the focus back at the button", async || {
            let focused = page.focused().await?;
            if focused.1 == N.new_room { Ok(()) } else { bail!("it is at {focused:?}") }
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_question_mark_lists_the_keys_outside_of_fields() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.click(&part("textbox", N.message)).await?;
        page.type_keys("?").await?;
        assert!(!page.has(&any("dialog")).await?);
        page.press(keys::ENTER).await?;
        page.shows_stored("?").await?;
        page.run::<()>("document.activeElement.blur()", vec![]).await?;
        page.press('?').await?;
        page.part(&part("dialog", "Keyboard shortcuts")).await?;
        // The banner is the page's, and not in the dialog.
        assert!(!page.has(&any("banner").within(&any("dialog"))).await?);
        page.press(keys::ESCAPE).await?;
        page.gone(&any("dialog")).await
    })
    .await
}

#[tokio::test]
async fn a_dialog_over_the_menu_gives_the_focus_back_to_the_menus_button() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.part(&part("textbox", N.message)).await?;
        let keys_button = part("button", "Keyboard shortcuts");
        // The second time its part is in the browser already.
        for _ in 0..2 {
            page.open_menu().await?;
            page.part(&keys_button).await?;
            tab_to(&page, "button", "Keyboard shortcuts").await?;
            page.press(keys::ENTER).await?;
            page.part(&part("dialog", "Keyboard shortcuts")).await?;
            page.press(keys::ESCAPE).await?;
            page.gone(&any("dialog")).await?;
            focuses_menu_button(&page).await?;
        }
        page.press(keys::ENTER).await?;
        page.part(&part("radio", N.dark)).await?;
        tab_to(&page, "radio", "").await?;
        page.chord(&[keys::CONTROL, 'k']).await?;
        page.part(&any("combobox")).await?;
        page.press(keys::ESCAPE).await?;
        page.gone(&any("dialog")).await?;
        focuses_menu_button(&page).await
    })
    .await
}

async fn focuses_menu_button(page: &Page) -> Result {
    eventually("the focus back at the menu's button", async || {
        let focused = page.focused().await?;
        if focused.0 == "button" && focused.1.starts_with(N.menu) {
            Ok(())
        } else {
            bail!("it is at {focused:?}")
        }
    })
    .await
}

#[tokio::test]
async fn the_menu_closes_when_tab_leads_out_of_it() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.part(&part("textbox", N.message)).await?;
        page.open_menu().await?;
        page.part(&part("radio", N.dark)).await?;
        tab_to(&page, "button", "Sign out").await?;
        page.press(keys::TAB).await?;
        page.gone(&any("radio")).await?;
        assert_eq!(page.focused().await?, ("button".to_owned(), N.new_room.to_owned()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_field_to_join_is_described_by_the_sentence_above() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        let described = "return tidy(document.activeElement.getAttribute('aria-describedby').split(' ')
             .map((id) => document.getElementById(id)?.innerText ?? '').join(' '))";
        page.open_menu().await?;
        page.click(&part("button", "Sign out")).await?;
        page.part(&part("form", N.join)).await?;
        assert_eq!(page.run::<String>(described, vec![]).await?, "You are signed out.");
        page.click(&part("button", "I have a recovery code")).await?;
        page.part(&part("form", "Take your name back")).await?;
        let sentence: String = page.run(described, vec![]).await?;
        assert!(sentence.starts_with("Enter your name and the recovery code"), "{sentence:?}");
        Ok(())
    })
    .await
}

/// Compares role and name with the browser's own accessibility tree.
async fn is_known(page: &Page, role: &str, name: &str) -> Result {
    let computed = page.computed(&part(role, name)).await?;
    let role = if role == "textbox" { "textbox" } else { role };
    if computed == (role.to_owned(), name.to_owned()) {
        return Ok(());
    }
    bail!("{role} {name:?} is {computed:?} to the browser")
}

async fn names_hold(page: &Page, who: &str) -> Result {
    let n = page.names();
    page.open("/").await?;
    for (role, name) in [("form", n.join), ("textbox", n.your_name), ("button", n.join)] {
        is_known(page, role, name).await?;
    }
    page.join(who).await?;
    page.write("A message").await?;
    page.shows_stored("A message").await?;
    let chat = [
        ("navigation", n.rooms),
        ("button", n.new_room),
        ("log", "general"),
        ("textbox", n.message),
        ("button", n.send),
    ];
    for (role, name) in chat {
        is_known(page, role, name).await?;
    }
    let article: Part = beginning("article", who).within(&part("log", "general"));
    let (role, name) = page.computed(&article).await?;
    page.open_menu().await?;
    is_known(page, "button", n.calls).await?;
    page.press(keys::ESCAPE).await?;
    assert!(role == "article" && name.starts_with(who) && name.len() > who.len() + 2, "{role} {name:?}");
    page.open("/greeter").await?;
    for (role, name) in [
        ("form", "SayHello"),
        ("form", "SayHelloStreamReply"),
        ("button", n.say_hello),
        ("button", n.start),
        ("log", n.greetings),
    ] {
        is_known(page, role, name).await?;
    }
    page.click(&part("button", n.calls)).await?;
    is_known(page, "region", n.calls).await
}

#[tokio::test]
async fn names_in_the_tests_match_the_accessibility_tree() -> Result {
    scenario(async |world| {
        let english = world.browser("Ada", Browser::default()).await?;
        names_hold(&english, "Ada").await?;
        let browser = Browser { language: "zh-CN,zh", ..Browser::default() };
        let chinese = world.browser("小明", browser).await?.by_names(&CHINESE);
        names_hold(&chinese, "小明").await
    })
    .await
}

#[tokio::test]
async fn control_and_k_jumps_to_a_room() -> Result {
    scenario(async |world| {
        let grace = e2e::Guest::join(&world.url(), "Grace").await?;
        for room in ["Release planning", "Lunch"] {
            grace.create_room(room).await?;
        }
        let page = world.person("Ada").await?;
        page.click(&part("textbox", N.message)).await?;
        page.chord(&[keys::CONTROL, 'k']).await?;
        page.part(&any("combobox")).await?;
        page.type_keys("lun").await?;
        page.press(keys::ENTER).await?;
        page.part(&part("log", "Lunch")).await?;
        page.gone(&any("dialog")).await?;
        page.chord(&[keys::CONTROL, 'k']).await?;
        page.part(&any("combobox")).await?;
        page.press(keys::ESCAPE).await?;
        page.gone(&any("dialog")).await?;
        page.part(&part("log", "Lunch")).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_key_lists_the_calls_of_the_chat() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.write("a call").await?;
        page.shows_stored("a call").await?;
        page.chord(&[keys::ALT, 'c']).await?;
        let panel = part("region", N.calls);
        for said in ["Subscribe", "Receiving", "SendMessage", "OK", "Join"] {
            page.contains_text(&panel, said).await?;
        }
        // The session's token is not shown.
        let cookie: String = page.run("return document.cookie", vec![]).await?;
        assert!(!page.all_text().await?.contains("chinwag_session=") && cookie.is_empty(), "{cookie}");
        page.chord(&[keys::ALT, 'c']).await?;
        page.gone(&panel).await
    })
    .await
}

/// Records in `window.heard` every announcement for screen readers.
const LISTEN: &str = "
    window.heard = [];
    const region = '[aria-live=polite], [aria-live=assertive], [role=status], [role=alert], [role=log]:not([aria-live=off])';
    new MutationObserver((changes) => {
        const said = new Set(changes.map((change) =>
            (change.target.nodeType === Node.TEXT_NODE ? change.target.parentElement : change.target)?.closest(region)));
        for (const element of said) if (element && tidy(element.textContent)) window.heard.push(tidy(element.textContent));
    }).observe(document.body, { subtree: true, childList: true, characterData: true });";

#[tokio::test]
async fn a_new_message_is_announced_once_and_an_own_one_never() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("an own message").await?;
        ada.shows_stored("an own message").await?;
        ada.run::<()>(LISTEN, vec![]).await?;
        ada.write("another own message").await?;
        ada.shows_stored("another own message").await?;
        let grace = e2e::Guest::join(&world.url(), "Grace").await?;
        grace.send("general", "something new").await?;
        ada.shows_messages(&["an own message", "another own message", "something new"]).await?;
        let heard = eventually("the new message to be heard", async || {
            let heard: Vec<String> = ada.run("return window.heard", vec![]).await?;
            let is_heard = heard.iter().any(|said| said.contains("something new"));
            if is_heard { Ok(heard) } else { bail!("heard was {heard:?}") }
        })
        .await?;
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(heard[0].starts_with("Grace"), "{heard:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_recovery_code_is_announced_after_joining() -> Result {
    scenario(async |world| {
        let page = world.browser("Ada", Browser::default()).await?;
        page.open("/").await?;
        page.part(&part("form", N.join)).await?;
        page.run::<()>(LISTEN, vec![]).await?;
        page.join("Ada").await?;
        eventually("the code to be announced", async || {
            let heard: Vec<String> = page.run("return window.heard", vec![]).await?;
            if heard.iter().any(|said| said.contains("Keep this code")) {
                Ok(())
            } else {
                bail!("heard was {heard:?}")
            }
        })
        .await
    })
    .await
}
