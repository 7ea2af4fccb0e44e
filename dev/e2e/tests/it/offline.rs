//! Starts without the server, from what the browser keeps: the page's files, and a copy of the chat. And new versions of the page.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};
use e2e::{ENGLISH, Fault, FaultyProxy, Names, Page, Result, World, eventually, part, scenario};
use harness::{Server, TempFolder};
use serde_json::{Value, json};

const N: &Names = &ENGLISH;

/// Says from when the messages are.
pub(crate) const KEPT_AT: &str = "You see what this browser kept at";
const NEW_VERSION: &str = "A new version of Chinwag is ready.";

/// Waits until the browser keeps the page.
pub(crate) async fn keeps_the_page(page: &Page) -> Result {
    eventually("the service worker", async || {
        let look =
            "navigator.serviceWorker.getRegistration().then((own) => { window.active = own?.active?.state });
             return window.active ?? ''";
        let state: String = page.run(look, vec![]).await?;
        ensure!(state == "activated", "its state is {state:?}");
        Ok(())
    })
    .await
}

/// The copy of the chat, as text. `None` where there is none.
async fn copy(page: &Page) -> Result<Option<String>> {
    page.run_async(
        "const done = arguments[arguments.length - 1];
         window.copy = null;
         indexedDB.databases().then((all) => {
             if (all.length === 0) return done();
             const request = indexedDB.open(all[0].name);
             request.onsuccess = () => {
                 const entries = request.result.transaction('kept').objectStore('kept').getAll();
                 entries.onsuccess = () => {
                     request.result.close();
                     const texts = entries.result.map((entry) => new TextDecoder().decode(entry));
                     if (texts.length > 0) window.copy = texts.join('');
                     done();
                 };
             };
         })",
    )
    .await?;
    page.run("return window.copy", vec![]).await
}

/// Waits until the copy has a message.
pub(crate) async fn keeps_message(page: &Page, text: &str) -> Result {
    eventually("the copy of the chat", async || {
        let copy = copy(page).await?.context("there is none")?;
        ensure!(copy.contains(text), "it lacks {text:?}");
        Ok(())
    })
    .await
}

async fn keeps_nothing(page: &Page) -> Result {
    eventually("the end of the copy of the chat", async || {
        ensure!(copy(page).await?.is_none(), "it is there");
        Ok(())
    })
    .await
}

/// Somebody whose browser keeps the page, and the message "before".
async fn person(world: &mut World) -> Result<Page> {
    let ada = world.person("Ada").await?;
    ada.write("before").await?;
    ada.shows_stored("before").await?;
    keeps_the_page(&ada).await?;
    keeps_message(&ada, "before").await?;
    ada.allow_failed_requests();
    Ok(ada)
}

#[tokio::test]
async fn a_start_without_the_server_shows_the_rooms_and_sends_later() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        world.end_server()?;
        ada.open("/").await?;
        ada.strip_says(KEPT_AT).await?;
        ada.part(&part("link", "general")).await?;
        ada.shows_messages(&["before"]).await?;
        ada.write("written without the server").await?;
        ada.shows_messages(&["before", "written without the server"]).await?;
        ada.page_contains(N.waiting).await?;
        // The stream goes on from the copy: what is drawn stays.
        ada.run::<()>("document.querySelector('.chat-log').isMarked = true", vec![]).await?;

        world.restart_server()?;
        ada.shows_stored("written without the server").await?;
        ada.strip_is_empty().await?;
        ada.shows_messages(&["before", "written without the server"]).await?;
        let is_same: bool =
            ada.run("return document.querySelector('.chat-log').isMarked ?? false", vec![]).await?;
        ensure!(is_same, "the room was drawn anew");
        ada.reload().await?;
        ada.shows_messages(&["before", "written without the server"]).await
    })
    .await
}

#[tokio::test]
async fn a_silent_server_does_not_stop_a_start() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        world.pause_server()?;
        ada.open("/room/general").await?;
        ada.shows_messages(&["before"]).await?;
        ada.strip_says(KEPT_AT).await?;
        world.resume_server()?;
        ada.strip_is_empty().await?;
        ada.write("after").await?;
        ada.shows_stored("after").await?;
        ada.shows_messages(&["before", "after"]).await
    })
    .await
}

#[tokio::test]
async fn the_copy_of_the_chat_ends_with_the_session() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        ada.open_menu().await?;
        ada.click(&part("button", "Sign out")).await?;
        ada.part(&part("form", N.join)).await?;
        keeps_nothing(&ada).await?;

        // A session that ended elsewhere, while the page was closed.
        ada.join("Grace").await?;
        ada.click(&part("button", N.done)).await?;
        ada.write("by another person").await?;
        keeps_message(&ada, "by another person").await?;
        ada.visit("about:blank").await?;
        ada.devtools("Network.clearBrowserCookies", json!({})).await?;
        ada.open("/").await?;
        ada.part(&part("form", N.join)).await?;
        keeps_nothing(&ada).await?;

        world.end_server()?;
        ada.open("/").await?;
        ada.part(&part("button", "Try now")).await?;
        ensure!(!ada.all_text().await?.contains("by another person"), "the copy is shown");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_damaged_copy_of_the_page_does_not_stop_a_start() -> Result {
    scenario(async |world| {
        let ada = person(world).await?;
        for damage in [
            "cache.delete(request)",
            "cache.put(request, new Response('damaged', { headers: { 'content-type': 'application/wasm' } }))",
        ] {
            keeps_the_page(&ada).await?;
            let script = format!(
                "const done = arguments[arguments.length - 1];
                 caches.keys().then(async (names) => {{
                     const cache = await caches.open(names.at(-1));
                     for (const request of await cache.keys()) {{
                         if (/page-.*wasm/.test(request.url)) await {damage};
                     }}
                     done();
                 }})"
            );
            ada.run_async(&script).await?;
            ada.open("/").await?;
            ada.shows_messages(&["before"]).await?;
            ada.strip_is_empty().await?;
        }
        // The program that could not be read.
        ada.errors().await?;
        Ok(())
    })
    .await
}

// New versions

/// A server whose page is in a folder of its own, and can be replaced.
struct Upgrade {
    server: Server,
    folder: TempFolder,
}

impl Upgrade {
    /// The path of the other build's script.
    const NEW_SCRIPT: &str = "/page-00000000000000ff.js";

    fn start() -> Result<Upgrade> {
        let folder = TempFolder::new()?;
        let page = folder.path().join("page");
        fs::create_dir(&page)?;
        for entry in fs::read_dir(e2e::dist()?)? {
            let entry = entry?;
            // The compressed copies would have to be made again.
            let is_compressed =
                [".br", ".gz"].iter().any(|end| entry.file_name().to_string_lossy().ends_with(end));
            if !is_compressed {
                fs::copy(entry.path(), page.join(entry.file_name()))?;
            }
        }
        let mut server =
            Server::new(&folder.path().join("data"))?.flags(["--page".as_ref(), page.as_os_str()]);
        server.start()?;
        Ok(Upgrade { server, folder })
    }

    /// Replaces the page by another build, and starts the server again. Returns the name of the new script.
    fn install(&mut self) -> Result<String> {
        let page = self.folder.path().join("page");
        let (old, new) = (script(&page)?, Upgrade::NEW_SCRIPT[1..].to_owned());
        self.server.kill()?;
        let text = fs::read_to_string(page.join(&old))?;
        fs::write(page.join(&new), format!("{text}\n// Another build."))?;
        fs::remove_file(page.join(&old))?;
        for file in ["index.html", "service-worker.js"] {
            let text = fs::read_to_string(page.join(file))?;
            ensure!(text.contains(&old), "{file} does not name the script");
            fs::write(
                page.join(file),
                text.replace(&old, &new).replace("const VERSION=\"", "const VERSION=\"b"),
            )?;
        }
        self.server.start()?;
        Ok(new)
    }
}

/// The name of the page's script.
fn script(page: &Path) -> Result<String> {
    let names = fs::read_dir(page)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<Result<_>>()?;
    names
        .into_iter()
        .find(|name| name.starts_with("page-") && name.ends_with(".js"))
        .context("it is not there")
}

async fn runs_script(page: &Page, name: &str) -> Result<bool> {
    let address: Value =
        page.run("return document.querySelector('script[src]').getAttribute('src')", vec![]).await?;
    Ok(address == json!(name))
}

#[tokio::test]
async fn a_new_version_is_said_and_taken_at_the_next_start() -> Result {
    scenario(async |world| {
        let mut upgrade = Upgrade::start()?;
        let url = format!("{}/", upgrade.server.url());
        let ada = world.browser("Ada", Default::default()).await?;
        ada.visit(&url).await?;
        ada.join("Ada").await?;
        ada.click(&part("button", N.done)).await?;
        ada.write("before").await?;
        keeps_the_page(&ada).await?;
        keeps_message(&ada, "before").await?;
        ada.allow_failed_requests();
        // A start of the same version says nothing.
        ada.visit(&url).await?;
        ada.shows_messages(&["before"]).await?;
        let old = script(&upgrade.folder.path().join("page"))?;

        let new = upgrade.install()?;
        ada.strip_says(NEW_VERSION).await?;
        ensure!(runs_script(&ada, &old).await?, "the page was replaced");
        // The open page goes on.
        ada.write("from the old version").await?;
        ada.shows_stored("from the old version").await?;
        ada.fill(&part("textbox", N.message), "a draft").await?;
        ada.click(&part("button", "Reload")).await?;
        eventually("the new version", async || {
            ensure!(runs_script(&ada, &new).await?, "the old one runs");
            Ok(())
        })
        .await?;
        ada.strip_is_empty().await?;
        ada.shows_messages(&["before", "from the old version"]).await?;
        ada.composer_holds("a draft").await?;

        // It is kept like the one before.
        keeps_message(&ada, "from the old version").await?;
        upgrade.server.kill()?;
        ada.visit(&url).await?;
        ada.strip_says(KEPT_AT).await?;
        ensure!(runs_script(&ada, &new).await?, "the old version runs");
        ada.shows_messages(&["before", "from the old version"]).await
    })
    .await
}

#[tokio::test]
async fn a_new_version_is_said_while_the_worker_before_is_busy() -> Result {
    scenario(async |world| {
        let mut upgrade = Upgrade::start()?;
        let proxy = FaultyProxy::start(&upgrade.server.url(), "/slow-")?;
        proxy.set_fault(Fault::Silence);
        let url = format!("{}/", proxy.url());
        let ada = world.browser("Ada", Default::default()).await?;
        ada.visit(&url).await?;
        ada.join("Ada").await?;
        keeps_the_page(&ada).await?;
        ada.allow_failed_requests();
        ada.visit(&url).await?;
        // The worker fetches it, as it has a hash in its name.
        ada.run::<()>("fetch('/slow-0000000000000000.js').catch(() => {})", vec![]).await?;
        eventually("the request of the worker", async || {
            ensure!(!proxy.requests().is_empty(), "there was none");
            Ok(())
        })
        .await?;

        let new = upgrade.install()?;
        ada.strip_says(NEW_VERSION).await?;
        ada.click(&part("button", "Reload")).await?;
        eventually("the new version", async || {
            ensure!(runs_script(&ada, &new).await?, "the old one runs");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_new_version_that_could_not_be_kept_is_tried_again() -> Result {
    scenario(async |world| {
        let mut upgrade = Upgrade::start()?;
        let proxy = FaultyProxy::start(&upgrade.server.url(), Upgrade::NEW_SCRIPT)?;
        let ada = world.browser("Ada", Default::default()).await?;
        ada.visit(&format!("{}/", proxy.url())).await?;
        ada.join("Ada").await?;
        keeps_the_page(&ada).await?;
        ada.allow_failed_requests();

        // A connection that is closed would be tried again by the browser.
        let busy = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        proxy.set_fault(Fault::Response(busy.into()));
        upgrade.install()?;
        eventually("the request of the new script", async || {
            ensure!(!proxy.requests().is_empty(), "there was none");
            Ok(())
        })
        .await?;
        proxy.set_fault(Fault::None);
        ada.strip_says(NEW_VERSION).await
    })
    .await
}

#[tokio::test]
async fn a_worker_without_files_leaves() -> Result {
    scenario(async |world| {
        let mut upgrade = Upgrade::start()?;
        let ada = world.browser("Ada", Default::default()).await?;
        ada.visit(&format!("{}/", upgrade.server.url())).await?;
        keeps_the_page(&ada).await?;
        ada.allow_failed_requests();
        // As trunk copies it.
        let template = harness::checkout::root()?.join("frontend/static/service-worker.js");
        fs::copy(template, upgrade.folder.path().join("page/service-worker.js"))?;
        upgrade.server.kill()?;
        upgrade.server.start()?;
        eventually("the end of the worker", async || {
            let look =
                "navigator.serviceWorker.getRegistration().then((own) => own?.update().catch(() => {}));
                 navigator.serviceWorker.getRegistrations().then((all) => { window.workers = all.length });
                 caches.keys().then((all) => { window.caches_left = all.length });
                 return [window.workers ?? 1, window.caches_left ?? 1]";
            let left: [u32; 2] = ada.run(look, vec![]).await?;
            ensure!(left == [0, 0], "workers and caches: {left:?}");
            Ok(())
        })
        .await
    })
    .await
}
