//! The page before its program runs, and a page that cannot start.

use e2e::{Browser, CHINESE, ENGLISH, Result, part, scenario};

#[tokio::test]
async fn a_lost_program_is_named_in_the_readers_language_and_can_be_tried_again() -> Result {
    scenario(async |world| {
        let browser = Browser { language: "zh-CN,zh", ..Browser::default() };
        let page = world.browser("小红", browser).await?.in_chinese();
        for lost in ["*/page-*.wasm", "*/page-*.js"] {
            page.block(&[lost]).await?;
            page.open("/").await?;
            page.page_contains("页面的一部分没有加载成功").await?;
            page.block(&[]).await?;
            page.click(&part("button", CHINESE.try_again)).await?;
            page.part(&part("form", CHINESE.join)).await?;
        }
        // The failures that were wanted.
        page.errors().await?;
        Ok(())
    })
    .await
}

/// Notes what the shell says once its words appear.
const NOTE_LOADING: &str = "
    addEventListener('animationend', ({ animationName, target }) => {
        if (animationName === 'shell-appear') window.loading = [target.innerText, target.querySelector('progress').offsetWidth];
    });";

#[tokio::test]
async fn a_slow_line_shows_the_shell_and_that_it_loads() -> Result {
    scenario(async |world| {
        let page = world.browser("Ada", Browser::default()).await?;
        page.run_before_pages(NOTE_LOADING).await?;
        page.slow_down(50_000).await?;
        page.open("/").await?;
        page.part(&part("form", ENGLISH.join)).await?;
        let (text, width): (String, f64) = page.run("return window.loading", vec![]).await?;
        assert_eq!(text.trim(), "Loading…");
        assert!(width > 50.0, "the progress is {width} pixels wide");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_browser_without_web_assembly_is_told_so() -> Result {
    scenario(async |world| {
        let page = world.browser("Ada", Browser::default()).await?;
        page.run_before_pages("Object.defineProperty(window, 'WebAssembly', { value: undefined })").await?;
        page.open("/").await?;
        page.page_contains("Lockdown Mode").await?;
        page.part(&part("button", ENGLISH.try_again)).await?;
        // The failures that were wanted.
        page.errors().await?;
        Ok(())
    })
    .await
}

/// Notes the places of the shell's parts and the theme, before the program runs.
const NOTE_SHELL: &str = "
    window.places = () => ['.header', '.header__product', '.chat-rooms', '.chat-room__head', '.chat-composer__box'].map((part) => {
        const { x, y, right, bottom } = document.querySelector(part).getBoundingClientRect();
        return [part, x, y, right, bottom];
    });
    addEventListener('DOMContentLoaded', () => {
        if (document.getElementById('shell')) window.shell = [window.places(), document.documentElement.dataset.theme];
    });";

type Places = Vec<(String, f64, f64, f64, f64)>;

#[tokio::test]
async fn the_shell_is_replaced_without_a_shift() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.part(&part("textbox", ENGLISH.message)).await?;
        page.choose(ENGLISH.dark).await?;
        page.run_before_pages(NOTE_SHELL).await?;
        for (width, height) in [(1280, 900), (320, 640)] {
            page.resize(width, height).await?;
            page.reload().await?;
            page.part(&part("textbox", ENGLISH.message)).await?;
            let (shell, theme): (Places, String) = page.run("return window.shell", vec![]).await?;
            let now: Places = page.run("return window.places()", vec![]).await?;
            assert_eq!(theme, "dark");
            // On a narrow page the product makes room for the room's name.
            let of_parts = |places: Places| -> Places {
                places.into_iter().filter(|place| width > 700 || place.0 != ".header__product").collect()
            };
            assert_eq!(of_parts(shell), of_parts(now), "at {width} pixels");
        }
        Ok(())
    })
    .await
}
