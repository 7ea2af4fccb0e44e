//! Several people in one room.

use anyhow::bail;
use e2e::{Browser, ENGLISH, Names, Result, any, eventually, part, scenario};

const N: &Names = &ENGLISH;

#[tokio::test]
async fn two_people_chat_both_ways_and_a_third_reads_what_was_said_before() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        let grace = world.person("Grace").await?;
        ada.write("Good morning").await?;
        grace.shows_messages(&["Good morning"]).await?;
        grace.write("Morning! 你好 👋").await?;
        ada.shows_messages(&["Good morning", "Morning! 你好 👋"]).await?;
        ada.write("How is the log?").await?;
        grace.write("Dense.").await?;
        let all = ["Good morning", "Morning! 你好 👋", "How is the log?", "Dense."];

        let edsger = world.person("Edsger").await?;
        for page in [&ada, &grace, &edsger] {
            eventually("all four messages", async || match page.messages().await?.len() {
                4 => Ok(()),
                count => bail!("{count} of them"),
            })
            .await?;
        }
        // The last two were written at the same time: their order is free, but the same on every screen.
        let order = said(&edsger).await?;
        assert_eq!(said(&ada).await?, order);
        assert_eq!(said(&grace).await?, order);
        for text in all {
            assert!(order.iter().any(|(_, said)| said.contains(text)), "{text} is missing in {order:?}");
        }
        let by =
            |author: &str| order.iter().filter(|(name, _)| name.starts_with(&format!("{author}, "))).count();
        assert_eq!((by("Ada"), by("Grace")), (2, 2), "{order:?}");
        Ok(())
    })
    .await
}

async fn said(page: &e2e::Page) -> Result<Vec<(String, String)>> {
    Ok(page.messages().await?.into_iter().map(|message| (message.name, message.text)).collect())
}

#[tokio::test]
async fn a_name_in_use_is_refused_at_the_field() -> Result {
    scenario(async |world| {
        let _ada = world.person("Ada").await?;
        let other = world.browser("the other Ada", Browser::default()).await?;
        other.open("/").await?;
        other.join("ADA").await?;
        let field = part("textbox", N.your_name);
        eventually("the field to be marked", async || {
            match other.part(&field).await?.attr("aria-invalid").await?.as_deref() {
                Some("true") => Ok(()),
                mark => bail!("aria-invalid is {mark:?}"),
            }
        })
        .await?;
        // The reason is associated with the field, so that screen readers announce it.
        let reason: String = other
            .run(
                "const ids = find(arguments[0].steps)[0].getAttribute('aria-describedby').split(' ');
                 return tidy(ids.map((id) => document.getElementById(id)?.innerText ?? '').join(' '))",
                vec![serde_json::to_value(&field)?],
            )
            .await?;
        assert!(!reason.is_empty(), "no reason is given");
        assert_eq!(other.focused().await?, ("textbox".to_owned(), N.your_name.to_owned()));

        other.join("Ada the Second").await?;
        other.write("Hello").await?;
        other.shows_stored("Hello").await
    })
    .await
}

#[tokio::test]
async fn a_reload_stays_in_the_room_and_signed_in() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("Still here").await?;
        ada.shows_stored("Still here").await?;
        let path = ada.path().await?;
        assert_eq!(path, "/room/general");
        ada.reload().await?;
        ada.shows_messages(&["Still here"]).await?;
        assert_eq!(ada.path().await?, path);
        ada.write("And still Ada").await?;
        ada.shows_messages(&["Still here", "And still Ada"]).await?;
        let messages = ada.messages().await?;
        assert!(messages[1].name.starts_with("Ada, "), "{messages:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn signing_out_leads_to_the_first_visit_and_frees_the_name() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.part(&part("textbox", N.message)).await?;
        ada.open_menu().await?;
        ada.click(&part("button", "Sign out")).await?;
        ada.part(&part("form", N.join)).await?;
        ada.page_contains("You are signed out.").await?;
        ada.gone(&any("radio")).await?;
        let other = world.person("Ada").await?;
        other.part(&part("textbox", N.message)).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn messages_are_text_and_never_html() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        let grace = world.person("Grace").await?;
        let texts = [
            "<img src=x onerror=\"document.title='broken'\">",
            "<script>document.title = 'broken'</script>",
            "[click](javascript:alert(1))",
            "[click](JaVaScRiPt:alert(1))",
            "[click](data:text/html,<script>alert(1)</script>)",
            "[click](&#106;avascript:alert(1))",
            "&amp; &lt;b&gt;",
        ];
        for text in texts {
            ada.write(text).await?;
        }
        grace.shows_messages(&texts).await?;
        let harm: u32 = grace
            .run(
                "const log = find([{ role: 'log', name: null }])[0];
                 return log.querySelectorAll('img, script, article a:not([href^=http])').length",
                vec![],
            )
            .await?;
        assert_eq!(harm, 0);
        assert!(!grace.title().await?.contains("broken"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn marks_become_lists_code_and_links() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("todo:\n- ~~one~~\n- two\n  1. inner\n```rust\nlet a = 1;\n```\n[site](https://example.org), ada@example.org, \\*").await?;
        ada.shows_stored("inner").await?;
        let shown: Vec<String> = ada
            .run(
                "const article = find([{ role: 'log', name: null }, { role: 'article', name: null }])[0];
                 const all = (selector) => [...article.querySelectorAll(selector)].map((part) => part.textContent.trim());
                 return [...all('ul > li'), ...all('li ol > li'), ...all('del'), ...all('pre'), ...all('.chat-code__head'),
                     ...[...article.querySelectorAll('a')].map((link) => link.href), all('p').pop()]",
                vec![],
            )
            .await?;
        let wanted = [
            "one",
            "twoinner",
            "inner",
            "one",
            "let a = 1;",
            "rust",
            "https://example.org/",
            "mailto:ada@example.org",
            "site, ada@example.org, *",
        ];
        assert_eq!(shown, wanted);
        ada.write("🎉 👍").await?;
        ada.shows_stored("🎉").await?;
        let size: f64 = ada
            .run("return parseFloat(getComputedStyle(document.querySelector('.chat-emoji')).fontSize)", vec![])
            .await?;
        assert!(size >= 32.0, "emoji alone have {size} px");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_button_of_a_code_block_copies_the_code() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("```\nlet a = \"<b>\";\n  b\n```").await?;
        ada.shows_stored("let a").await?;
        ada.run::<()>("navigator.clipboard.writeText = async (text) => { window.copied = text; }", vec![])
            .await?;
        let button = part("button", "Copy code");
        ada.part(&button).await?;
        ada.click(&button).await?;
        let copied: String = ada.run("return window.copied", vec![]).await?;
        assert_eq!(copied, "let a = \"<b>\";\n  b");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn every_paragraph_has_its_own_direction() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("שלום, עולם!\n\nhello, world!").await?;
        ada.shows_stored("hello").await?;
        let directions: Vec<String> = ada
            .run(
                "const article = find([{ role: 'log', name: null }, { role: 'article', name: null }])[0];
                 return [...article.querySelectorAll('p')].map((part) => getComputedStyle(part).direction)",
                vec![],
            )
            .await?;
        assert_eq!(directions, ["rtl", "ltr"]);

        ada.write("1. אחת\n2. שתיים\n   - שלוש\n\n> ארבע\n\n- four\n- חמש").await?;
        ada.shows_stored("four").await?;
        let directions: Vec<String> = ada
            .run(
                "const article = find([{ role: 'log', name: null }, { role: 'article', name: null }]).at(-1);
                 return [...article.querySelectorAll('ol, ul, blockquote')]
                     .map((part) => getComputedStyle(part).direction)",
                vec![],
            )
            .await?;
        assert_eq!(directions, ["rtl", "rtl", "rtl", "ltr"], "markers and bars stand apart from their text");
        ada.fill(&part("textbox", ENGLISH.message), "مرحبا").await?;
        let direction: String =
            ada.run("return getComputedStyle(document.activeElement).direction", vec![]).await?;
        assert_eq!(direction, "rtl");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_link_leaves_without_a_trace() -> Result {
    scenario(async |world| {
        let ada = world.person("Ada").await?;
        ada.write("See https://example.org/a?b=c&d=(e) for more.").await?;
        ada.shows_stored("See").await?;
        let link: (String, String) = ada
            .run(
                "const link = find([{ role: 'log', name: null }, { role: 'link', name: null }])[0];
                 return [link.href, link.rel]",
                vec![],
            )
            .await?;
        assert_eq!(link.0, "https://example.org/a?b=c&d=(e)");
        for word in ["noopener", "noreferrer", "nofollow"] {
            assert!(link.1.contains(word), "rel is {:?}", link.1);
        }
        Ok(())
    })
    .await
}
