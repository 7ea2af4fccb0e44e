//! The page's service worker: its script in the page's folder, filled in with the files that it keeps.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::files::{files, has_extension};
use crate::module::Tools;

/// The script's name in the page's folder.
const NAME: &str = "service-worker.js";
/// Lines of the script that are replaced.
const VERSION: &str = "const VERSION = \"\";";
const FILES: &str = "const FILES = [];";

/// Types of the files that are kept: what a start needs, and the parts of the program.
const KEPT: [&str; 3] = ["js", "css", "wasm"];

/// Beginnings of the names of large parts that have no use without a server.
const NOT_KEPT: [&str; 3] = ["split_explorer-", "split_protos-", "shared_explorer-"];

/// Fills in the script, if the page has one. `script` is the name of the page's own script, `html` the text of its index.html.
pub(crate) fn fill(dist: &Path, html: &str, script: &str, tools: &Tools) -> Result<()> {
    let worker = dist.join(NAME);
    if !worker.exists() {
        return Ok(());
    }
    let mut names = vec![script.to_owned()];
    for file in files(dist)?.iter().filter(|file| **file != worker && is_kept(file)) {
        let name = file.strip_prefix(dist)?.display().to_string();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let template = fs::read_to_string(&worker)?;
    fs::write(&worker, filled(&template, html, &names).context(NAME)?)?;
    tools.minify(&worker)
}

fn is_kept(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    has_extension(file, &KEPT) && !NOT_KEPT.iter().any(|beginning| name.starts_with(beginning))
}

/// `template` with the names, and with a version that changes with them and with `html`.
fn filled(template: &str, html: &str, names: &[String]) -> Result<String> {
    for line in [VERSION, FILES] {
        ensure!(template.matches(line).count() == 1, "the line `{line}` is not there once");
    }
    let mut hasher = DefaultHasher::new();
    (html, names).hash(&mut hasher);
    let version = format!("const VERSION = \"{:016x}\";", hasher.finish());
    let files = format!("const FILES = {names:?};");
    Ok(template.replace(VERSION, &version).replace(FILES, &files))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../frontend/static/service-worker.js");

    #[test]
    fn the_version_changes_with_the_files_and_the_document() {
        let fill = |html: &str, name: &str| filled(TEMPLATE, html, &[name.to_owned()]).unwrap();
        let one = fill("<p>", "page-01.js");
        assert!(one.contains(r#"const FILES = ["page-01.js"];"#), "{one}");
        assert_eq!(one, fill("<p>", "page-01.js"));
        let version = |text: &str| text.lines().find(|line| line.contains("VERSION =")).map(str::to_owned);
        assert_ne!(version(&one), version(&fill("<b>", "page-01.js")));
        assert_ne!(version(&one), version(&fill("<p>", "page-02.js")));
    }

    #[test]
    fn parts_without_use_in_a_page_without_a_server_are_not_kept() {
        let is_kept = |name: &str| is_kept(Path::new(name));
        assert!(is_kept("dist/page-01.js") && is_kept("dist/split_calls-01.wasm"));
        assert!(!is_kept("dist/split_explorer-01.wasm") && !is_kept("dist/split_protos-01.wasm"));
        assert!(!is_kept("dist/icon.svg"));
    }

    #[test]
    fn another_template_is_refused() {
        assert!(filled("const FILES = [];", "", &[]).is_err());
    }
}
