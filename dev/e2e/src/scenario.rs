//! A scenario: servers, the browsers of several people, and the evidence of a failure.

use std::{
    any::type_name_of_val,
    net::SocketAddr,
    panic::{AssertUnwindSafe, resume_unwind},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use futures_util::FutureExt as _;
use harness::{PATIENCE, Server, TempFolder, browser::Kind, checkout};

use crate::{Page, Result, driver::Driver, part::part, servers::Servers};

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

/// The servers and the browsers of a scenario. They end with it.
///
/// Mostly there is one server. With several of one chat, browsers go to them in turn, and what happens to the server happens to all.
#[derive(Debug)]
pub struct World {
    kind: Kind,
    /// Number of browsers that were opened.
    opened: usize,
    // Dropped in this order: first the browsers, then the servers, then their files.
    pages: Vec<Opened>,
    servers: Servers,
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
    /// Starts a server, or as many as `CHINWAG_E2E_CLUSTER` says. `CHINWAG_E2E_BROWSER` chooses the browsers.
    pub async fn start() -> Result<World> {
        let folder = TempFolder::new()?;
        let servers = Servers::chosen(folder.path()).await?;
        World::new(folder, servers)
    }

    /// Starts three servers of one chat.
    pub async fn start_cluster() -> Result<World> {
        let folder = TempFolder::new()?;
        let servers = Servers::cluster(folder.path()).await?;
        World::new(folder, servers)
    }

    fn new(folder: TempFolder, servers: Servers) -> Result<World> {
        Ok(World { kind: Kind::chosen()?, opened: 0, pages: Vec::new(), servers, folder })
    }

    /// The server's address, or that of the first.
    pub fn url(&self) -> String {
        self.servers.all()[0].url()
    }

    /// The addresses of all servers.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.all().iter().map(Server::addr).collect()
    }

    /// Each of the servers.
    pub fn servers(&mut self) -> &mut [Server] {
        self.servers.all_mut()
    }

    /// Opens a browser with a fresh profile, its page empty.
    pub async fn browser(&mut self, who: &str, browser: Browser) -> Result<Page> {
        let profile = self.folder.path().join(format!("profile-{}", self.opened));
        let servers = self.servers.all();
        let url = servers[self.opened % servers.len()].url();
        self.opened += 1;
        let (driver, client) = Driver::open(self.kind, &profile, &browser).await?;
        let page = Page::new(self.kind, client, driver.output(), url);
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
        self.servers().iter_mut().for_each(|server| server.add_flags(flags));
        self.restart_server()
    }

    /// Sends SIGKILL to the server.
    pub fn kill_server(&mut self) -> Result {
        self.servers().iter_mut().try_for_each(Server::kill)
    }

    /// Sends SIGTERM to the server and waits for its graceful shutdown.
    pub fn end_server(&mut self) -> Result {
        self.servers().iter_mut().try_for_each(|server| server.terminate(PATIENCE).map(drop))
    }

    /// Stops the server's process: it answers nothing and closes nothing.
    pub fn pause_server(&self) -> Result {
        self.servers.all().iter().try_for_each(Server::pause)
    }

    /// Continues the server's process.
    pub fn resume_server(&self) -> Result {
        self.servers.all().iter().try_for_each(Server::resume)
    }

    /// Starts the server again on the same port and data.
    pub fn restart_server(&mut self) -> Result {
        self.servers().iter_mut().try_for_each(|server| server.start().map(drop))
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

    /// Writes a picture, the text and the errors of every page, and the servers' logs.
    async fn keep_evidence(&self, folder: &Path) -> Result {
        std::fs::create_dir_all(folder)?;
        for (number, server) in (1..).zip(self.servers.all()) {
            std::fs::write(folder.join(format!("server-{number}.log")), server.log().join("\n"))?;
        }
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
    carry_out(World::start().await?, &name, body).await
}

/// The same with three servers of one chat.
pub async fn cluster_scenario(body: impl AsyncFnOnce(&mut World) -> Result) -> Result {
    let name = name_of(&body);
    carry_out(World::start_cluster().await?, &name, body).await
}

async fn carry_out(mut world: World, name: &str, body: impl AsyncFnOnce(&mut World) -> Result) -> Result {
    let steps = async {
        body(&mut world).await?;
        world.check_for_errors().await
    };
    let outcome = AssertUnwindSafe(tokio::time::timeout(SCENARIO_TIMEOUT, steps)).catch_unwind().await;
    let failed = !matches!(outcome, Ok(Ok(Ok(()))));
    let folder = checkout::target()?.join("e2e").join(name);
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
