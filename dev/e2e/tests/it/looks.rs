//! Languages, colours, and narrow windows.

use anyhow::bail;
use e2e::{Browser, CHINESE, ENGLISH, Guest, Names, Page, Result, any, eventually, part, scenario};
use serde_json::json;

#[tokio::test]
async fn chinese_is_chosen_in_the_menu_and_stays() -> Result {
    scenario(async |world| {
        let page = world.person("小明").await?;
        page.part(&part("textbox", ENGLISH.message)).await?;
        page.choose("中文").await?;
        let page = page.in_chinese();
        page.part(&part("textbox", CHINESE.message)).await?;
        page.part(&part("navigation", CHINESE.rooms)).await?;
        assert_eq!(language(&page).await?, "zh-CN");
        page.write("你好").await?;
        page.shows_stored("你好").await?;
        page.reload().await?;
        page.part(&part("button", CHINESE.send)).await?;
        page.choose("English").await?;
        page.part(&part("button", ENGLISH.send)).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_chinese_browser_gets_a_chinese_page() -> Result {
    scenario(async |world| {
        let browser = Browser { language: "zh-CN,zh", ..Browser::default() };
        let page = world.browser("小红", browser).await?.in_chinese();
        page.open("/").await?;
        assert_eq!(language(&page).await?, "zh-CN");
        page.join("小红").await?;
        page.write("大家好").await?;
        page.shows_stored("大家好").await?;
        page.open("/greeter").await?;
        page.click(&part("button", CHINESE.say_hello)).await?;
        page.contains_text(&part("form", "SayHello"), "Hello, World!").await
    })
    .await
}

async fn language(page: &Page) -> Result<String> {
    page.run("return document.documentElement.lang", vec![]).await
}

/// Lightness of the page's background, from 0 to 1.
async fn lightness(page: &Page) -> Result<f64> {
    page.run(
        "const pixel = new OffscreenCanvas(1, 1).getContext('2d');
         for (const element of [document.documentElement, document.body]) {
             pixel.fillStyle = getComputedStyle(element).backgroundColor;
             pixel.fillRect(0, 0, 1, 1);
         }
         const [red, green, blue, opaque] = pixel.getImageData(0, 0, 1, 1).data;
         return opaque ? (red + green + blue) / 765 : -1",
        vec![],
    )
    .await
}

async fn is_dark(page: &Page, dark: bool) -> Result {
    eventually(if dark { "a dark page" } else { "a light page" }, async || match lightness(page).await? {
        ground if (0.0..0.3).contains(&ground) == dark && ground >= 0.0 => Ok(()),
        ground => bail!("its ground is {ground}"),
    })
    .await
}

#[tokio::test]
async fn dark_colours_are_chosen_in_the_menu_and_stay() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.part(&part("textbox", ENGLISH.message)).await?;
        is_dark(&page, false).await?;
        page.choose(ENGLISH.dark).await?;
        is_dark(&page, true).await?;
        page.reload().await?;
        page.part(&part("textbox", ENGLISH.message)).await?;
        is_dark(&page, true).await?;
        page.prefer_colours("dark").await?;
        page.choose(ENGLISH.light).await?;
        is_dark(&page, false).await?;
        page.choose("System").await?;
        is_dark(&page, true).await?;
        page.prefer_colours("light").await?;
        is_dark(&page, false).await
    })
    .await
}

/// Fails when the page as a whole can be scrolled, or a part sideways. The error names the elements that stick out.
async fn fits(page: &Page, place: &str) -> Result {
    let (width, view, wide, below): (f64, f64, Vec<String>, f64) = page
        .run(
            "const wide = [...document.querySelectorAll('body *')].filter((element) =>
                 element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 0.5);
             const root = document.scrollingElement;
             return [root.scrollWidth, innerWidth, wide.slice(0, 5).map((element) => element.cloneNode().outerHTML),
                 root.scrollHeight - innerHeight]",
            vec![],
        )
        .await?;
    if width > view {
        bail!("{place} is {width} wide in a window of {view}; {wide:?} stick out");
    }
    if below > 0.0 {
        bail!("{place} is {below} higher than the window");
    }
    Ok(())
}

#[tokio::test]
async fn nothing_needs_a_horizontal_scroll_bar_at_320_pixels() -> Result {
    scenario(async |world| {
        let grace = Guest::join(&world.url(), "Grace with a name of forty characters ab").await?;
        let room = grace.create_room("A room whose name is as long as a room's name may be at all").await?;
        for room in ["general", &room] {
            grace.send(room, &"Donaudampfschifffahrt".repeat(20)).await?;
            grace.send(room, &format!("https://example.org/{}", "path/".repeat(60))).await?;
            grace
                .send(room, &format!("```\n{}\n```\n> {}", "let code = ".repeat(20), "q".repeat(300)))
                .await?;
            grace.send(room, &"长句子没有空格".repeat(40)).await?;
        }
        for (who, names) in [("Ada", &ENGLISH), ("小明", &CHINESE)] {
            let language = if names == &CHINESE { "zh-CN,zh" } else { "en-US,en" };
            let page = world.browser(who, Browser { language, ..Browser::default() }).await?.by_names(names);
            narrow(&page, who, &room).await?;
        }
        Ok(())
    })
    .await
}

async fn narrow(page: &Page, who: &str, room: &str) -> Result {
    let names: &Names = page.names();
    page.resize(320, 640).await?;
    page.open("/").await?;
    page.part(&part("form", names.join)).await?;
    fits(page, "the first visit").await?;
    page.join(who).await?;
    page.part(&part("textbox", names.message)).await?;
    for room in ["general", room] {
        page.open(&format!("/room/{room}")).await?;
        page.part(&part("textbox", names.message)).await?;
        page.page_contains("长句子没有空格").await?;
        fits(page, "a room").await?;
    }
    page.write(&"unbreakable".repeat(30)).await?;
    page.shows_stored("unbreakable").await?;
    fits(page, "a room with an own message").await?;
    page.open_menu().await?;
    page.part(&part("radio", names.dark)).await?;
    fits(page, "the person's menu").await?;
    page.press(e2e::keys::ESCAPE).await?;

    page.open("/greeter").await?;
    // The earlier of two calls, below the details of the later one.
    page.click(&part("button", names.say_hello)).await?;
    page.contains_text(&part("form", "SayHello"), "0 OK").await?;
    let streaming = part("form", "SayHelloStreamReply");
    page.fill(&part("textbox", names.name).within(&streaming), &"Name".repeat(60)).await?;
    page.fill(&part("textbox", names.count).within(&streaming), "3").await?;
    page.fill(&part("textbox", names.interval).within(&streaming), "1").await?;
    page.click(&part("button", names.start)).await?;
    page.contains_text(&streaming, "0 OK").await?;
    fits(page, "the Greeter").await?;
    page.click(&part("button", names.calls)).await?;
    let line = e2e::beginning("button", "").within(&any("listitem").within(&part("region", names.calls)));
    page.part_of(&line, 0).await?.click().await?;
    page.contains_text(&part("region", names.calls), "grpcurl").await?;
    fits(page, "the calls").await?;
    // The bytes of the long name in the request, eight in a row, complete.
    let row: Vec<f64> = page
        .run(
            "const dump = document.querySelector('.hex__dump');
             const rows = (part) => part.getBoundingClientRect().height /
                 parseFloat(getComputedStyle(part).lineHeight);
             const [offsets, , bytes, letters] = dump.children;
             return [dump.scrollWidth - dump.clientWidth, rows(offsets), rows(bytes), rows(letters)]
                 .map(Math.round)",
            vec![],
        )
        .await?;
    // Five bytes of prefix, three of tag and length, 240 of name.
    assert_eq!(row, [0.0, 31.0, 31.0, 31.0], "offsets, bytes and letters of a frame");
    page.resize(768, 900).await?;
    fits(page, "the calls beside the Greeter").await?;
    page.resize(320, 640).await?;
    page.open("/settings").await?;
    page.part(&part("radio", names.dark)).await?;
    fits(page, "the settings").await
}

#[tokio::test]
async fn at_320_pixels_one_view_at_a_time_reaches_every_part() -> Result {
    scenario(async |world| {
        let page = world.browser("Ada", Browser::default()).await?;
        page.resize(320, 640).await?;
        page.open("/").await?;
        page.join("Ada").await?;
        page.part(&part("textbox", ENGLISH.message)).await?;
        page.gone(&part("button", ENGLISH.new_room)).await?;
        page.click(&part("button", ENGLISH.back)).await?;
        page.part(&part("button", ENGLISH.new_room)).await?;
        page.gone(&part("textbox", ENGLISH.message)).await?;
        page.click(&part("link", "general").within(&part("navigation", ENGLISH.rooms))).await?;
        page.write("small").await?;
        page.shows_stored("small").await?;
        page.click(&part("button", ENGLISH.back)).await?;
        page.click(&part("link", ENGLISH.greeter)).await?;
        page.part(&part("form", "SayHello")).await?;
        Ok(())
    })
    .await
}

/// The text and the background of the composer's field, a message and a room's link, and the line around the composer; as pairs of
/// colours, each from 0 to 255 in red, green and blue.
const COLOURS: &str = "
    const pixel = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const draw = (colour) => {
        pixel.fillStyle = colour;
        pixel.fillRect(0, 0, 1, 1);
        return [...pixel.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const ground = (element) => {
        const grounds = [];
        for (let one = element; one; one = one.parentElement) grounds.unshift(getComputedStyle(one).backgroundColor);
        draw('white');
        return grounds.map(draw).at(-1);
    };
    const text = (element) => {
        const below = ground(element);
        return [draw(getComputedStyle(element).color), below];
    };
    const first = (selector) => document.querySelector(selector);
    const box = first('.chat-composer__box');
    return [...['textarea', '[role=log] article', '.chat-rooms__link'].map((one) => text(first(one))),
        [draw(getComputedStyle(box).borderTopColor), ground(box.parentElement)]]";

type Colour = [f64; 3];

/// The contrast of two colours, as WCAG 2 defines it.
fn contrast([one, other]: [Colour; 2]) -> f64 {
    let luminance = |colour: Colour| {
        let linear = |part: f64| {
            let part = part / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[tokio::test]
async fn more_contrast_and_forced_colours_are_followed() -> Result {
    scenario(async |world| {
        let page = world.person("Ada").await?;
        page.write("hello").await?;
        page.shows_stored("hello").await?;
        for (feature, value, least_text, least_line) in
            [("prefers-contrast", "more", 7.0, 3.0), ("forced-colors", "active", 7.0, 7.0)]
        {
            for colours in ["light", "dark"] {
                let features = json!([
                    { "name": "prefers-color-scheme", "value": colours },
                    { "name": feature, "value": value },
                ]);
                page.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await?;
                page.settled().await?;
                let pairs: Vec<[Colour; 2]> = page.run(COLOURS, vec![]).await?;
                let contrasts: Vec<f64> = pairs.into_iter().map(contrast).collect();
                let (line, texts) = contrasts.split_last().unwrap();
                assert!(texts.iter().all(|text| *text >= least_text), "{feature}, {colours}: {texts:?}");
                assert!(*line >= least_line, "{feature}, {colours}: the line has {line}");
            }
        }
        Ok(())
    })
    .await
}
