//! Identity: a lost answer of Join, a browser without cookies, recovery codes, sessions, and the drafts of a person.

use anyhow::bail;
use e2e::{
    Browser, ENGLISH, Fault, FaultyProxy, Guest, Names, Page, Part, Result, any, beginning, eventually, part,
    scenario,
};
use harness::{Server, TempFolder};

const N: &Names = &ENGLISH;
const JOIN: &str = "/chat.v1.ChatService/Join";

fn composer() -> Part {
    part("textbox", N.message)
}

fn code_form() -> Part {
    part("form", "Recovery code")
}

fn recover_form() -> Part {
    part("form", "Take your name back")
}

async fn sign_out(page: &Page) -> Result {
    page.open_menu().await?;
    page.click(&part("button", "Sign out")).await?;
    page.part(&part("form", N.join)).await?;
    Ok(())
}

/// Takes a name back.
async fn recover(page: &Page, name: &str, code: &str, ends_others: bool) -> Result {
    page.click(&part("button", "I have a recovery code")).await?;
    page.fill(&part("textbox", N.your_name).within(&recover_form()), name).await?;
    page.fill(&part("textbox", "Recovery code").within(&recover_form()), code).await?;
    if ends_others {
        page.click(&part("checkbox", "Sign out everywhere else")).await?;
    }
    page.click(&part("button", "Sign in").within(&recover_form())).await
}

#[tokio::test]
async fn a_lost_answer_of_join_loses_no_name() -> Result {
    scenario(async |world| {
        let proxy = FaultyProxy::start(&world.url(), JOIN)?;
        let ada = world.browser("Ada", Browser::default()).await?;
        ada.visit(&proxy.url()).await?;
        ada.allow_failed_requests();
        proxy.set_fault(Fault::LoseResponse);
        ada.join("Ada").await?;
        let form = part("form", N.join);
        eventually("the form to say that the call failed", async || {
            match ada.parts(&any("alert").within(&form)).await?.len() {
                0 => bail!("it says nothing"),
                _ => ada.contains_text(&form, "server").await,
            }
        })
        .await?;
        assert!(!ada.text(&form).await?.contains("taken"));

        proxy.set_fault(Fault::None);
        ada.click(&part("button", N.join).within(&form)).await?;

        ada.write("It is still me").await?;
        ada.shows_stored("It is still me").await?;
        let messages = ada.messages().await?;
        assert!(messages[0].name.starts_with("Ada, "), "{messages:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_browser_without_cookies_is_told_so_and_the_name_stays_free() -> Result {
    scenario(async |world| {
        let blocked = Browser { blocks_cookies: true, ..Browser::default() };
        let ada = world.browser("Ada", blocked).await?;
        ada.open("/").await?;
        ada.join("Ada").await?;
        ada.contains_text(&part("form", N.join), "this browser keeps no cookies for this page").await?;
        assert!(!ada.all_text().await?.contains("session has ended"));
        assert_eq!(ada.focused().await?, ("textbox".to_owned(), N.your_name.to_owned()));
        Guest::join(&world.url(), "Ada").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_page_by_http_is_told_that_the_server_asks_for_https() -> Result {
    scenario(async |world| {
        world.restart_with(&["--secure-cookie=true", "--host=chat.test"])?;
        let ada = world.browser("Ada", Browser::default()).await?;
        ada.visit(&world.url().replace("127.0.0.1", "chat.test")).await?;
        ada.join("Ada").await?;
        ada.contains_text(&part("form", N.join), "this server asks for https").await?;
        // Chromium ignores this header for a page by http, and Firefox the cookie; they say so in the console.
        for error in ada.errors().await? {
            let text = error.to_string();
            let is_known = text.contains("Cross-Origin-Opener-Policy") || text.contains("non-HTTPS cookie");
            assert!(is_known, "{error}");
        }
        Guest::join(&world.url(), "Ada").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_name_that_mixes_alphabets_is_refused_in_the_readers_language() -> Result {
    scenario(async |world| {
        let english = world.browser("English", Browser::default()).await?;
        english.open("/").await?;
        // The first letter is Cyrillic.
        english.join("\u{410}da").await?;
        english.contains_text(&part("form", N.join), "cannot mix alphabets").await?;

        let chinese = Browser { language: "zh-CN", ..Browser::default() };
        let chinese = world.browser("Chinese", chinese).await?.in_chinese();
        chinese.open("/").await?;
        chinese.join("\u{410}da").await?;
        chinese.contains_text(&part("form", chinese.names().join), "不能混用不同的字母").await
    })
    .await
}

#[tokio::test]
async fn a_name_in_use_and_a_wrong_code_are_refused_in_the_readers_language() -> Result {
    scenario(async |world| {
        Guest::join(&world.url(), "Grace").await?;
        let chinese = Browser { language: "zh-CN", ..Browser::default() };
        let page = world.browser("小明", chinese).await?.in_chinese();
        let n = page.names();
        page.open("/").await?;
        page.join("Grace").await?;
        page.contains_text(&part("form", n.join), "这个名字已有人使用").await?;

        page.click(&part("button", "我有恢复码")).await?;
        let form = part("form", "找回你的名字");
        page.fill(&part("textbox", n.your_name).within(&form), "Grace").await?;
        let code = part("textbox", "恢复码").within(&form);
        for (wrong, sentence) in [
            ("0", "恢复码由 20 个字母和数字组成"),
            ("0000-0000-0000-0000-0000", "没有与这个名字和恢复码相符的用户"),
        ] {
            page.fill(&code, wrong).await?;
            page.press(e2e::keys::ENTER).await?;
            page.contains_text(&form, sentence).await?;
        }

        page.click(&part("button", "用新名字加入")).await?;
        page.join("小明").await?;
        page.click(&part("button", n.new_room)).await?;
        let dialog = any("dialog");
        page.fill(&part("textbox", n.room_name).within(&dialog), "GENERAL").await?;
        page.press(e2e::keys::ENTER).await?;
        page.contains_text(&dialog, "同名的房间已经存在").await
    })
    .await
}

#[tokio::test]
async fn a_server_that_is_down_is_named_at_the_form_and_loses_no_name() -> Result {
    scenario(async |world| {
        let ada = world.browser("Ada", Browser::default()).await?;
        ada.open("/").await?;
        let form = part("form", N.join);
        ada.part(&form).await?;
        ada.allow_failed_requests();
        world.kill_server()?;
        ada.join("Ada").await?;
        ada.contains_text(&form, "No answer came from the server.").await?;
        assert_eq!(ada.focused().await?, ("textbox".to_owned(), N.your_name.to_owned()));
        world.restart_server()?;
        ada.click(&part("button", N.join).within(&form)).await?;
        ada.part(&composer()).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn two_servers_on_one_host_keep_their_sessions() -> Result {
    scenario(async |world| {
        let folder = TempFolder::new()?;
        let mut other =
            Server::new(&folder.path().join("data"))?.flags(["--page".as_ref(), e2e::dist()?.as_os_str()]);
        other.start()?;
        let page = world.person("Ada").await?;
        page.part(&composer()).await?;
        page.visit(&other.url()).await?;
        page.join("Grace").await?;
        page.write("at the other server").await?;
        page.shows_stored("at the other server").await?;

        page.open("/").await?;
        page.part(&part("button", "Menu: Ada")).await?;
        page.write("still here").await?;
        page.shows_stored("still here").await?;
        page.visit(&other.url()).await?;
        page.part(&part("button", "Menu: Grace")).await?;
        page.shows_messages(&["at the other server"]).await?;
        // The other server ends before the page.
        page.allow_failed_requests();
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_recovery_code_takes_the_name_to_another_browser() -> Result {
    scenario(async |world| {
        let ada = world.browser("Ada", Browser::default()).await?;
        ada.open("/").await?;
        ada.join("Ada").await?;
        let field = part("textbox", "Recovery code").within(&code_form());
        let code = ada.value(&field).await?;
        assert_eq!(code.len(), 24, "{code}");
        let markup: [String; 3] = ada
            .run(
                "const form = find(arguments[0].steps)[0];
                 const [user, code] = form.querySelectorAll('input');
                 return [user.autocomplete, code.autocomplete, user.value]",
                vec![serde_json::to_value(code_form())?],
            )
            .await?;
        assert_eq!(markup, ["username", "new-password", "Ada"]);
        assert!(!ada.all_text().await?.contains(&code));
        ada.write("It does not stand in the way").await?;
        ada.shows_stored("It does not stand in the way").await?;
        ada.click(&part("button", N.done).within(&code_form())).await?;
        ada.gone(&code_form()).await?;
        // At the composer, or at the page where the pointer is coarse.
        let (role, _) = ada.focused().await?;
        assert!(role == "textbox" || role == "main", "{role:?} has the focus");

        let elsewhere = world.browser("Ada elsewhere", Browser::default()).await?;
        elsewhere.open("/").await?;
        recover(&elsewhere, "Ada", &code[1..], false).await?;
        elsewhere.contains_text(&recover_form(), "20 letters and digits").await?;
        assert_eq!(elsewhere.focused().await?, ("textbox".to_owned(), "Recovery code".to_owned()));
        let field = part("textbox", "Recovery code").within(&recover_form());
        elsewhere.fill(&field, "0000-0000-0000-0000-0000").await?;
        elsewhere.click(&part("button", "Sign in").within(&recover_form())).await?;
        elsewhere.contains_text(&recover_form(), "Nobody here has this name and this code").await?;
        elsewhere.fill(&field, &code).await?;
        elsewhere.click(&part("checkbox", "Sign out everywhere else")).await?;
        elsewhere.click(&part("button", "Sign in").within(&recover_form())).await?;
        elsewhere.shows_messages(&["It does not stand in the way"]).await?;
        elsewhere.write("Here I am").await?;
        elsewhere.shows_stored("Here I am").await?;
        let messages = elsewhere.messages().await?;
        assert!(messages.iter().any(|message| message.name.starts_with("Ada, ")), "{messages:?}");
        // The first browser was signed out.
        ada.part(&part("form", N.join)).await?;
        ada.page_contains("Your session has ended").await
    })
    .await
}

#[tokio::test]
async fn the_settings_make_a_new_code_and_end_another_session() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.open("/settings").await?;
        ada.click(&part("button", "Make a new code")).await?;
        ada.part(&code_form()).await?;
        eventually("the focus on the code", async || match ada.focused().await? {
            (role, name) if (role.as_str(), name.as_str()) == ("textbox", "Recovery code") => Ok(()),
            focused => bail!("it is at {focused:?}"),
        })
        .await?;
        let code = ada.value(&part("textbox", "Recovery code").within(&code_form())).await?;
        ada.click(&part("button", N.done).within(&code_form())).await?;
        assert_eq!(ada.focused().await?, ("button".to_owned(), "Make a new code".to_owned()));

        let elsewhere = world.browser("Ada elsewhere", Browser::default()).await?;
        elsewhere.open("/").await?;
        recover(&elsewhere, "Ada", &code, false).await?;
        elsewhere.part(&composer()).await?;

        ada.reload().await?;
        let sessions = part("region", "Sessions");
        ada.contains_text(&sessions, "In use now").await?;
        ada.contains_text(&sessions, "This session").await?;
        ada.contains_text(&sessions, &format!("{} on Linux", ada.browser())).await?;
        let end = beginning("button", "End session: ").within(&sessions);
        assert_eq!(ada.parts(&end).await?.len(), 2);
        // Their buttons have names of their own.
        let device = format!("End session: {} on Linux", ada.browser());
        for state in ["This session", "In use now"] {
            ada.part(&part("button", &format!("{device}, {state}")).within(&sessions)).await?;
        }
        // The last used session is the other one or this one: its row says which.
        ada.run::<()>(
            "for (const row of document.querySelectorAll('li')) {
                 if (row.innerText.includes('In use now')) row.querySelector('button').click();
             }",
            vec![],
        )
        .await?;
        elsewhere.part(&part("form", N.join)).await?;
        eventually("one session", async || match ada.parts(&end).await?.len() {
            1 => Ok(()),
            count => bail!("there are {count}"),
        })
        .await?;
        assert_eq!(ada.focused().await?, ("heading".to_owned(), "Sessions".to_owned()));
        ada.click(&end).await?;
        ada.gone(&sessions).await
    })
    .await
}

#[tokio::test]
async fn a_draft_belongs_to_its_author_and_leaves_with_them() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.fill(&composer(), "a secret of Ada").await?;
        // The session ends without a wish: the draft waits for Ada, and is not Grace's.
        ada.delete_cookies().await?;
        ada.reload().await?;
        ada.join("Grace").await?;
        ada.click(&part("button", N.done)).await?;
        ada.composer_holds("").await?;
        let kept = "return Object.values(localStorage).join()";
        assert!(ada.run::<String>(kept, vec![]).await?.contains("a secret of Ada"));

        ada.fill(&composer(), "a secret of Grace").await?;
        sign_out(&ada).await?;
        assert!(!ada.run::<String>(kept, vec![]).await?.contains("a secret of Grace"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_draft_of_an_older_version_is_kept_for_its_room() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.part(&composer()).await?;
        ada.run::<()>("localStorage.setItem('chinwag.draft.general', 'from before')", vec![]).await?;
        ada.reload().await?;
        ada.composer_holds("from before").await?;
        let old: Option<String> =
            ada.run("return localStorage.getItem('chinwag.draft.general')", vec![]).await?;
        assert_eq!(old, None);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_text_sent_in_one_tab_is_no_draft_in_another() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.fill(&composer(), "written once").await?;
        ada.open_tab("/").await?;
        ada.composer_holds("written once").await?;
        ada.switch_to_tab(0).await?;
        ada.fill(&composer(), "written once, and changed").await?;
        ada.switch_to_tab(1).await?;
        ada.composer_holds("written once, and changed").await?;
        ada.write("written once, and sent").await?;
        ada.shows_stored("written once, and sent").await?;
        ada.switch_to_tab(0).await?;
        ada.composer_holds("").await?;
        ada.reload().await?;
        ada.composer_holds("").await
    })
    .await
}

#[tokio::test]
async fn signing_out_is_said_in_every_tab() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.part(&composer()).await?;
        ada.open_tab("/").await?;
        ada.part(&composer()).await?;
        sign_out(&ada).await?;
        for tab in [1, 0] {
            ada.switch_to_tab(tab).await?;
            ada.part(&part("form", N.join)).await?;
            ada.page_contains("You are signed out.").await?;
        }
        Ok(())
    })
    .await
}
