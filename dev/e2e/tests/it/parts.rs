//! Parts of the page that are modules of their own, loaded when they are needed.

use anyhow::ensure;
use e2e::{Browser, CHINESE, ENGLISH, Names, Page, Result, eventually, part, scenario};

const N: &Names = &ENGLISH;

/// The names of the modules that the page has loaded.
async fn loaded_modules(page: &Page) -> Result<Vec<String>> {
    page.run(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)
             .filter((name) => name.endsWith('.wasm')).map((name) => new URL(name).pathname)",
        vec![],
    )
    .await
}

#[tokio::test]
async fn a_part_is_loaded_after_the_page_has_started() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/").await?;
        page.part(&part("form", N.join)).await?;
        let first = loaded_modules(&page).await?;
        ensure!(first[0].starts_with("/page-"), "the program is not loaded first: {first:?}");
        let all = eventually("the parts are loaded", async || {
            let modules = loaded_modules(&page).await?;
            ensure!(modules.iter().any(|name| name.contains("dialogs")), "{modules:?}");
            Ok(modules)
        })
        .await?;
        for name in ["join", "calls"] {
            ensure!(all.iter().any(|module| module.contains(name)), "{name} is not loaded: {all:?}");
        }
        ensure!(!all.iter().any(|name| name.contains("greeter")), "few need the Greeter: {all:?}");
        page.click(&part("link", N.greeter)).await?;
        page.part(&part("form", "SayHello")).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn the_form_to_join_is_two_modules() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/").await?;
        page.part(&part("form", N.join)).await?;
        let modules = loaded_modules(&page).await?;
        let of_form: Vec<_> = modules.iter().filter(|name| name.contains("_join-")).collect();
        ensure!(of_form.len() == 2, "{modules:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_reader_of_english_loads_the_chinese_texts_with_the_choice() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        let has_chinese = |modules: &[String]| modules.iter().any(|name| name.contains("chinese"));
        ensure!(!has_chinese(&loaded_modules(&page).await?), "they are loaded at the start");
        page.choose("中文").await?;
        page.page_contains(CHINESE.greeter).await?;
        ensure!(has_chinese(&loaded_modules(&page).await?), "they are in another module");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_reader_of_chinese_gets_the_chinese_texts_with_the_program() -> Result {
    scenario(async |world| {
        let browser = Browser { language: "zh-CN,zh", ..Browser::default() };
        let page = world.browser("小红", browser).await?.in_chinese();
        page.open("/").await?;
        page.part(&part("form", CHINESE.join)).await?;
        let texts = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('chinese'))";
        let started_by: Vec<String> =
            page.run(&format!("return {texts}.map((entry) => entry.initiatorType)"), vec![]).await?;
        ensure!(started_by.first().is_some_and(|kind| kind == "link"), "not preloaded: {started_by:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_part_that_cannot_be_loaded_can_be_tried_again() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/settings").await?;
        page.allow_failed_requests();
        page.block(&["*greeter*.wasm"]).await?;
        page.open("/greeter").await?;
        page.page_contains("could not be loaded").await?;
        // Everything else works.
        page.part(&part("link", N.chat)).await?;
        page.block(&[]).await?;
        page.click(&part("button", N.try_again)).await?;
        page.part(&part("form", "SayHello")).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn chinese_texts_that_cannot_be_loaded_are_said_and_can_be_chosen_again() -> Result {
    scenario(async |world| {
        let page = world.browser("somebody", Default::default()).await?;
        page.open("/settings").await?;
        page.allow_failed_requests();
        page.block(&["*chinese*.wasm"]).await?;
        let chinese = part("radio", "中文");
        page.click(&chinese).await?;
        page.page_contains("The Chinese texts could not be loaded.").await?;
        page.page_contains("中文文本没有加载成功。").await?;
        let [shown, stored]: [String; 2] = page
            .run(
                "return [document.querySelector('.choice input:checked').labels[0].textContent,
                         localStorage.getItem('chinwag.language') ?? '']",
                vec![],
            )
            .await?;
        ensure!(shown == "English", "{shown} is chosen");
        ensure!(stored == "zh-CN", "the next start has {stored:?}");

        page.block(&[]).await?;
        page.click(&chinese).await?;
        page.page_contains(CHINESE.greeter).await?;
        ensure!(!page.all_text().await?.contains("could not be loaded"), "the sentence stays");
        page.reload().await?;
        page.page_contains(CHINESE.greeter).await
    })
    .await
}
