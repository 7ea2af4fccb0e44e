//! A scenario: a server, the browsers of the people in it, and what is left of it when it fails.

use std::{
    any::type_name_of_val,
    panic::{AssertUnwindSafe, resume_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use futures_util::FutureExt as _;

use crate::{Page, Result, scratch::Scratch, server::Server, session::Driver};

/// How long a scenario may take as a whole.
const SCENARIO_TIMEOUT: Duration = Duration::from_secs(240);

/// How long a browser may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a browser is like.
#[derive(Clone, Debug)]
pub struct Browser {
    /// `navigator.languages`, with commas.
    pub language: &'static str,
    /// Of the window, in pixels.
    pub width: u32,
    /// Of the window, in pixels.
    pub height: u32,
}

impl Default for Browser {
    fn default() -> Browser {
        Browser { language: "en-US,en", width: 1280, height: 900 }
    }
}

/// Everything that a scenario has. All of it ends with it.
#[derive(Debug)]
pub struct World {
    // Dropped in this order: first the browsers, then the server, then their files.
    pages: Vec<(String, Page)>,
    driver: Driver,
    server: Server,
    folder: Scratch,
}

impl World {
    /// Starts a server and a driver.
    pub fn start() -> Result<World> {
        let folder = Scratch::new()?;
        let server = Server::start(folder.path())?;
        Ok(World { pages: Vec::new(), driver: Driver::start()?, server, folder })
    }

    /// The server's address.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.addr)
    }

    /// Opens a browser with a fresh profile, its page empty.
    pub async fn browser(&mut self, who: &str, browser: Browser) -> Result<Page> {
        let profile = self.folder.path().join(format!("profile-{}", self.pages.len()));
        let client = self.driver.open(&profile, &browser).await?;
        let page = Page::new(client, self.url());
        self.pages.push((who.to_owned(), page.clone()));
        Ok(page)
    }

    /// Opens a browser with a fresh profile, goes to the chat and joins.
    pub async fn person(&mut self, name: &str) -> Result<Page> {
        let page = self.browser(name, Browser::default()).await?;
        page.open("/").await?;
        page.join(name).await?;
        Ok(page)
    }

    /// Starts the server again, on the same port and data, so that pages of `origin` may call it.
    pub fn allow_origin(&mut self, origin: &str) -> Result {
        self.restart_with(&[&format!("--cors-origin={origin}")])
    }

    /// Starts the server again, on the same port and data, with more flags.
    pub fn restart_with(&mut self, flags: &[&str]) -> Result {
        self.server.terminate()?;
        for flag in flags {
            self.server.add_flag((*flag).to_owned());
        }
        self.server.restart()
    }

    /// SIGKILL to the server.
    pub fn kill_server(&mut self) -> Result {
        self.server.kill()
    }

    /// SIGTERM to the server, which says goodbye and ends.
    pub fn end_server(&mut self) -> Result {
        self.server.terminate()
    }

    /// Starts the server again on the same port and data.
    pub fn restart_server(&mut self) -> Result {
        self.server.restart()
    }

    /// Closes the browsers as people do, so that none of their processes still writes when the folder is
    /// deleted. What does not close is killed.
    pub async fn close(mut self) {
        for (index, (_, page)) in self.pages.iter().enumerate() {
            if let Ok(Ok(())) = tokio::time::timeout(CLOSE_TIMEOUT, page.close()).await {
                self.driver.forget(index);
            }
        }
    }

    /// Fails when something went wrong that nobody saw.
    async fn check_for_troubles(&self) -> Result {
        let mut all = Vec::new();
        for (who, page) in &self.pages {
            let troubles = page.troubles().await.with_context(|| format!("the logs of {who}'s browser"))?;
            all.extend(troubles.into_iter().map(|trouble| format!("{who}: {trouble}")));
        }
        if all.is_empty() { Ok(()) } else { bail!("{}", all.join("\n")) }
    }

    /// Keeps a picture and the text of every page, the troubles, and the server's log.
    async fn keep_evidence(&self, folder: &Path) -> Result {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("server.log"), self.server.log())?;
        for (who, page) in &self.pages {
            std::fs::write(folder.join(format!("{who}.png")), page.screenshot().await?)?;
            let path = page.path().await?;
            let text = page.all_text().await?;
            let troubles: Vec<String> = page.troubles().await?.iter().map(ToString::to_string).collect();
            let report = format!("{path}\n\n{text}\n\n{}\n", troubles.join("\n"));
            std::fs::write(folder.join(format!("{who}.txt")), report)?;
        }
        Ok(())
    }
}

/// Runs a scenario. It fails when a step fails, and when a browser had an error in its console or a
/// failed request that the scenario did not forgive.
pub async fn scenario(body: impl AsyncFnOnce(&mut World) -> Result) -> Result {
    let name = name_of(&body);
    let mut world = World::start()?;
    let steps = async {
        body(&mut world).await?;
        world.check_for_troubles().await
    };
    let outcome = AssertUnwindSafe(tokio::time::timeout(SCENARIO_TIMEOUT, steps)).catch_unwind().await;
    let failed = !matches!(outcome, Ok(Ok(Ok(()))));
    let folder = evidence_folder(&name);
    if failed && let Err(error) = world.keep_evidence(&folder).await {
        eprintln!("not all of the evidence could be kept: {error:#}");
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

/// The name of the test that the scenario stands in.
fn name_of<T>(body: &T) -> String {
    let path = type_name_of_val(body);
    let name = path.split("::").filter(|part| !part.starts_with('{')).last();
    name.unwrap_or("scenario").to_owned()
}

fn evidence_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/e2e").join(name)
}
