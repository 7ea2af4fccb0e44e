//! New versions of the page, which the service worker keeps beside the one that is open.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};
use e2e::{ENGLISH, Fault, FaultyProxy, Names, Page, Result, eventually, part, scenario};
use harness::{Server, TempFolder};
use serde_json::{Value, json};

use crate::offline::{KEPT_AT, keeps_message, keeps_the_page};

const N: &Names = &ENGLISH;
const NEW_VERSION: &str = "A new version of Chinwag is ready.";

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

/// Takes the new version, whose script has this name.
async fn reload_into(page: &Page, script: &str) -> Result {
    page.click(&part("button", "Reload")).await?;
    eventually("the new version", async || {
        ensure!(runs_script(page, script).await?, "the old one runs");
        Ok(())
    })
    .await
}

/// Waits until the path of the proxy was asked for.
async fn is_asked(proxy: &FaultyProxy) -> Result {
    eventually("the request", async || {
        ensure!(!proxy.requests().is_empty(), "there was none");
        Ok(())
    })
    .await
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
        reload_into(&ada, &new).await?;
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
        is_asked(&proxy).await?;

        let new = upgrade.install()?;
        ada.strip_says(NEW_VERSION).await?;
        reload_into(&ada, &new).await
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
        is_asked(&proxy).await?;
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
