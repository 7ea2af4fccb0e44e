//! A scenario: a server, the browsers of several people, and the evidence of a failure.

use std::{
    any::type_name_of_val,
    panic::{AssertUnwindSafe, resume_unwind},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use futures_util::FutureExt as _;
use harness::{PATIENCE, Server, TempFolder, browser::Kind, checkout};

use crate::{Page, Result, driver::Driver, files, part::part};

/// Time limit of a scenario.
const SCENARIO_TIMEOUT: Duration = Duration::from_secs(240);

/// Time limit for closing a browser.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Options of a browser.
#[derive(Clone, Debug)]
pub struct Browser {
    /// `navigator.languages`, separated by commas.
    pub language: &'static str,
    /// Width of the window, pixels.
    pub width: u32,
    /// Height of the window, pixels.
    pub height: u32,
    /// Size of text that the person has set in the browser, pixels.
    pub text_size: u32,
    /// Whether it blocks cookies and storage.
    pub blocks_cookies: bool,
}

impl Default for Browser {
    fn default() -> Browser {
        Browser { language: "en-US,en", width: 1280, height: 900, text_size: 16, blocks_cookies: false }
    }
}

/// The server and the browsers of a scenario. They end with it.
#[derive(Debug)]
pub struct World {
    kind: Kind,
    /// Number of browsers that were opened.
    opened: usize,
    // Dropped in this order: first the browsers, then the server, then their files.
    pages: Vec<Opened>,
    server: Server,
    folder: TempFolder,
}

/// A browser, its page, and the person in front of it.
#[derive(Debug)]
struct Opened {
    who: String,
    page: Page,
    driver: Driver,
}

impl World {
    /// Starts a server. `CHINWAG_E2E_BROWSER` chooses the browsers.
    pub fn start() -> Result<World> {
        let folder = TempFolder::new()?;
        let mut server = Server::new(&folder.path().join("data"))?.flags([
            "--page".as_ref(),
            files::dist()?.as_os_str(),
            "--log=info".as_ref(),
        ]);
        server.start()?;
        Ok(World { kind: Kind::chosen()?, opened: 0, pages: Vec::new(), server, folder })
    }

    /// The server's address.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Opens a browser with a fresh profile, its page empty.
    pub async fn browser(&mut self, who: &str, browser: Browser) -> Result<Page> {
        let profile = self.folder.path().join(format!("profile-{}", self.opened));
        self.opened += 1;
        let (driver, client) = Driver::open(self.kind, &profile, &browser).await?;
        let page = Page::new(self.kind, client, driver.output(), self.url());
        self.pages.push(Opened { who: who.to_owned(), page: page.clone(), driver });
        page.observe().await?;
        Ok(page)
    }

    /// Opens a browser with a fresh profile, goes to the chat, joins, and puts the recovery code away.
    pub async fn person(&mut self, name: &str) -> Result<Page> {
        let page = self.browser(name, Browser::default()).await?;
        page.open("/").await?;
        page.join(name).await?;
        page.click(&part("button", page.names().done)).await?;
        Ok(page)
    }

    /// Starts the server again, on the same port and data, so that pages of `origin` may call it.
    pub fn allow_origin(&mut self, origin: &str) -> Result {
        self.restart_with(&[&format!("--cors-origin={origin}")])
    }

    /// Starts the server again, on the same port and data, with more flags.
    pub fn restart_with(&mut self, flags: &[&str]) -> Result {
        self.end_server()?;
        self.server.add_flags(flags);
        self.restart_server()
    }

    /// Sends SIGKILL to the server.
    pub fn kill_server(&mut self) -> Result {
        self.server.kill()
    }

    /// Sends SIGTERM to the server and waits for its graceful shutdown.
    pub fn end_server(&mut self) -> Result {
        self.server.terminate(PATIENCE).map(drop)
    }

    /// Stops the server's process: it answers nothing and closes nothing.
    pub fn pause_server(&self) -> Result {
        self.server.pause()
    }

    /// Continues the server's process.
    pub fn resume_server(&self) -> Result {
        self.server.resume()
    }

    /// Starts the server again on the same port and data.
    pub fn restart_server(&mut self) -> Result {
        self.server.start().map(drop)
    }

    /// Closes the browsers, and ends the server.
    pub async fn close(mut self) {
        self.close_browsers().await;
    }

    /// Closes the browsers, so that none of their processes still writes when the folder is deleted. A browser that does
    /// not close is killed.
    pub async fn close_browsers(&mut self) {
        for Opened { page, mut driver, .. } in self.pages.drain(..) {
            if let Ok(Ok(())) = tokio::time::timeout(CLOSE_TIMEOUT, page.close()).await {
                driver.forget_browser();
            }
        }
    }

    /// Fails when a browser had an error that its page did not show.
    async fn check_for_errors(&self) -> Result {
        let mut all = Vec::new();
        for Opened { who, page, .. } in &self.pages {
            let errors = page.errors().await.with_context(|| format!("the logs of {who}'s browser"))?;
            all.extend(errors.into_iter().map(|error| format!("{who}: {error}")));
        }
        if all.is_empty() { Ok(()) } else { bail!("{}", all.join("\n")) }
    }

    /// Writes a picture, the text and the errors of every page, and the server's log.
    async fn keep_evidence(&self, folder: &Path) -> Result {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("server.log"), self.server.log().join("\n"))?;
        for Opened { who, page, .. } in &self.pages {
            std::fs::write(folder.join(format!("{who}.png")), page.screenshot().await?)?;
            let path = page.path().await?;
            let text = page.all_text().await?;
            let errors: Vec<String> = page.errors().await?.iter().map(ToString::to_string).collect();
            let report = format!("{path}\n\n{text}\n\n{}\n", errors.join("\n"));
            std::fs::write(folder.join(format!("{who}.txt")), report)?;
        }
        Ok(())
    }
}

/// Runs a scenario. It fails when a step fails, and when a browser had an error in its console or a failed request that
/// the scenario did not allow.
pub async fn scenario(body: impl AsyncFnOnce(&mut World) -> Result) -> Result {
    let name = name_of(&body);
    let mut world = World::start()?;
    let steps = async {
        body(&mut world).await?;
        world.check_for_errors().await
    };
    let outcome = AssertUnwindSafe(tokio::time::timeout(SCENARIO_TIMEOUT, steps)).catch_unwind().await;
    let failed = !matches!(outcome, Ok(Ok(Ok(()))));
    let folder = checkout::target()?.join("e2e").join(&name);
    if failed && let Err(error) = world.keep_evidence(&folder).await {
        eprintln!("some evidence could not be written: {error:#}");
    }
    world.close().await;
    let outcome = match outcome {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(anyhow!("the scenario took longer than {SCENARIO_TIMEOUT:?}")),
        Err(panic) => {
            eprintln!("pictures and logs are in {}", folder.display());
            resume_unwind(panic)
        }
    };
    outcome.with_context(|| format!("pictures and logs are in {}", folder.display()))
}

/// The name of the test around the closure `body`.
fn name_of<T>(body: &T) -> String {
    let path = type_name_of_val(body);
    let name = path.split("::").filter(|part| !part.starts_with('{')).last();
    name.unwrap_or("scenario").to_owned()
}
