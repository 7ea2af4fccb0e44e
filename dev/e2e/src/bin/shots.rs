//! Takes pictures of the page: `cargo run -p e2e --bin shots -- <folder>`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use e2e::{Browser, CHINESE, ENGLISH, Guest, Names, Page, Result, World, any, beginning, eventually, part};

/// Sizes of the view.
const SIZES: [(u32, u32); 3] = [(320, 640), (768, 900), (1440, 900)];

/// A text without a line break opportunity.
const LONG_WORD: &str = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft/\
    https%3A%2F%2Fexample.org%2Fa%2Fvery%2Flong%2Faddress%3Fwith%3Deverything%26and%3Dmore";

/// Messages with every kind of content, by author.
const TALK: [(&str, &str); 16] = [
    ("Ada", "Morning! Does the new build work for everybody?"),
    ("Ada", "I have had it open since seven and nothing was lost, not even over the tunnel on the way in."),
    ("Grace", "Works here. **Bold**, *italics* and `code` look right too."),
    ("Grace", "> nothing was lost, not even over the tunnel\n\nThat is the part I like best."),
    ("王小明", "早上好！我这边也没问题。昨天断网了两次，消息都还在，顺序也没有乱。"),
    ("王小明", "文档在这里：https://example.org/docs/getting-started?lang=zh-CN ，请大家看一下。"),
    ("Edsger", "A question about the log: is the sequence number dense per room, or across all rooms?"),
    ("Ada", "Per room. So a gap is simply `seq != last + 1`."),
    ("Edsger", "```rust\nfn is_gap(last: u64, seq: u64) -> bool {\n    seq != last + 1\n}\n```"),
    ("Edsger", "Like this?"),
    ("Ada", "🎉"),
    ("Grace", LONG_WORD),
    ("Grace", "Sorry, that was the clipboard. 😅 <b>And this is no HTML</b> & neither is this."),
    ("王小明", "哈哈，没关系。换行测试：\n第一行\n第二行\n第三行"),
    ("Edsger", "Good. I will write the minutes: https://example.org/minutes"),
    ("Ada", "Thank you all!"),
];

#[tokio::main]
async fn main() -> Result {
    let folder: PathBuf = std::env::args_os().nth(1).context("say where to: shots <folder>")?.into();
    std::fs::create_dir_all(&folder)?;
    let mut world = World::start().await?;
    talk(&world.url()).await?;
    for (language, names) in [("en-US,en", &ENGLISH), ("zh-CN,zh", &CHINESE)] {
        let browser = Browser { language, ..Browser::default() };
        let page = world.browser(names.join, browser).await?.by_names(names);
        take(&page, &folder, &language[..2]).await?;
    }
    world.close().await;
    Ok(())
}

/// All pictures of one browser, in all sizes and both themes.
async fn take(page: &Page, folder: &Path, language: &str) -> Result {
    let shots = Shots { page, folder, language, names: page.names() };
    let me = if language == "zh" { "李雷" } else { "Tim" };
    page.open("/").await?;
    page.part(&part("form", shots.names.join)).await?;
    shots.all("join").await?;

    page.join(me).await?;
    page.part(&part("textbox", shots.names.message)).await?;
    page.page_contains(TALK[15].1).await?;
    shots.all("chat").await?;
    waiting(&shots).await?;
    menu(&shots).await?;

    page.open("/greeter").await?;
    greeter(page, shots.names).await?;
    shots.all("greeter").await?;
    page.click(&part("button", shots.names.calls)).await?;
    let panel = part("region", shots.names.calls);
    let line = beginning("button", "").within(&any("listitem").within(&panel));
    page.part_of(&line, 0).await?.click().await?;
    shots.all("calls").await?;
    // The unary call, with both of its messages.
    page.part_of(&line, 0).await?.click().await?;
    page.part_of(&line, 1).await?.click().await?;
    page.contains_text(&panel, "0a 05 57 6f 72 6c 64").await?;
    shots.all("calls-message").await?;
    page.run::<()>("document.querySelector('.calls__list').scrollTop = 1e6", vec![]).await?;
    shots.all("calls-end").await?;
    page.open("/settings").await?;
    page.part(&any("radio")).await.ok();
    shots.all("settings").await
}

/// Waiting messages, and the strip with the reason.
async fn waiting(shots: &Shots<'_>) -> Result {
    let page = shots.page;
    page.set_offline(true).await?;
    page.write("This one waits for the network.").await?;
    page.write("这一条也在等网络。").await?;
    page.page_contains(shots.names.waiting).await?;
    shots.all("offline").await?;
    page.set_offline(false).await?;
    eventually("the messages to be stored", async || {
        ensure!(!page.all_text().await?.contains(shots.names.waiting), "one waits");
        Ok(())
    })
    .await
}

async fn menu(shots: &Shots<'_>) -> Result {
    shots.page.open_menu().await?;
    shots.page.part(&part("radio", "中文")).await?;
    shots.one("menu", SIZES[2], "light").await?;
    shots.one("menu", SIZES[0], "dark").await?;
    shots.page.press(e2e::keys::ESCAPE).await?;
    shots.page.resize(SIZES[0].0, SIZES[0].1).await?;
    shots.page.click(&part("button", shots.names.back)).await?;
    shots.one("rooms", SIZES[0], "light").await?;
    shots.one("rooms", SIZES[0], "dark").await?;
    shots.page.click(&part("button", shots.names.new_room)).await?;
    shots.one("new-room", SIZES[0], "light").await?;
    shots.one("new-room", SIZES[1], "dark").await?;
    shots.page.press(e2e::keys::ESCAPE).await
}

/// Results in both cards.
async fn greeter(page: &Page, names: &Names) -> Result {
    let streaming = part("form", "SayHelloStreamReply");
    page.click(&part("button", names.say_hello)).await?;
    page.contains_text(&part("form", "SayHello"), "Hello, World!").await?;
    page.fill(&part("textbox", names.count).within(&streaming), "40").await?;
    page.fill(&part("textbox", names.interval).within(&streaming), "5").await?;
    page.click(&part("button", names.start)).await?;
    page.contains_text(&streaming, "0 OK").await
}

struct Shots<'a> {
    page: &'a Page,
    folder: &'a Path,
    language: &'a str,
    names: &'static Names,
}

impl Shots<'_> {
    async fn all(&self, name: &str) -> Result {
        for size in SIZES {
            for colours in ["light", "dark"] {
                self.one(name, size, colours).await?;
            }
        }
        Ok(())
    }

    async fn one(&self, name: &str, (width, height): (u32, u32), colours: &str) -> Result {
        self.page.resize(width, height).await?;
        self.page.prefer_colours(colours).await?;
        self.page.settled().await?;
        let file = self.folder.join(format!("{name}-{}-{width}-{colours}.png", self.language));
        std::fs::write(file, self.page.screenshot().await?)?;
        Ok(())
    }
}

/// Fills the chat with people and messages.
async fn talk(url: &str) -> Result {
    let mut people: Vec<(&str, Guest)> = Vec::new();
    for (name, text) in TALK {
        let guest = match people.iter().find(|(known, _)| *known == name) {
            Some((_, guest)) => guest.clone(),
            None => {
                let guest = Guest::join(url, name).await?;
                people.push((name, guest.clone()));
                guest
            }
        };
        guest.send("general", text).await?;
    }
    let (_, ada) = &people[0];
    for (room, text) in [("Release planning", "When do we ship?"), ("午饭", "今天吃什么？")] {
        let id = ada.create_room(room).await?;
        ada.send(&id, text).await?;
    }
    Ok(())
}
