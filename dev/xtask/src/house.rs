//! `cargo xtask house`: the limits of the house style that a program can check, and the figures behind them.
//!
//! It reads files as rustfmt formats them, line by line, and knows no Rust beyond that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::page::files;
use crate::root;
use crate::step::say;

const MAX_FILE: usize = 400;
const MAX_FUNCTION: usize = 50;
const MAX_COMPONENT: usize = 80;
/// Files that import each other, all together.
const MAX_CIRCLE: usize = 2;
/// A comment with these words gives the reason of a longer file, in its head, or function, above it.
const REASON: &str = "longer than the limit";

/// The production code of a file: without its tests.
struct Source {
    path: PathBuf,
    text: String,
}

/// Prints the figures, and checks the limits.
pub(crate) fn run() -> Result<()> {
    let sources = sources()?;
    let mut files: Vec<usize> = sources.iter().map(|source| source.text.lines().count()).collect();
    let mut functions: Vec<usize> = sources.iter().flat_map(functions).map(|(length, _)| length).collect();
    println!("production lines: {}", files.iter().sum::<usize>());
    for (what, lengths) in [("files", &mut files), ("functions", &mut functions)] {
        lengths.sort_unstable();
        let at = |percent: usize| lengths.get(lengths.len() * percent / 100).copied().unwrap_or(0);
        println!(
            "{what}: {}, median {} lines, p90 {}, longest {}",
            lengths.len(),
            at(50),
            at(90),
            lengths[lengths.len() - 1]
        );
    }
    check()
}

/// Checks the limits.
pub(crate) fn check() -> Result<()> {
    let sources = sources()?;
    let mut broken = Vec::new();
    for source in &sources {
        let (path, lines) = (source.path.display(), source.text.lines().count());
        let head: String = source.text.lines().take_while(|line| line.starts_with("//!")).collect();
        if lines > MAX_FILE && !head.contains(REASON) {
            broken.push(format!("{path} has {lines} lines"));
        }
        let too_long = functions(source).into_iter().filter(|(_, is_too_long)| *is_too_long);
        broken.extend(too_long.map(|(length, _)| format!("a function in {path} has {length} lines")));
    }
    for circle in circles(&sources) {
        broken.push(format!("{} files import each other: {}", circle.len(), circle.join(", ")));
    }
    broken.iter().for_each(|line| say(line));
    ensure!(broken.is_empty(), "{} limits of the house style are exceeded", broken.len());
    Ok(())
}

fn sources() -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in ["backend", "crates", "dev", "frontend", "proto"] {
        for file in files(&root().join(folder))? {
            let path = file.strip_prefix(root())?.to_owned();
            let name = path.to_string_lossy();
            let is_test = ["/tests/", "/fuzz/", "/generated/", "tests.rs", "fuzzing.rs"]
                .iter()
                .any(|part| name.contains(part));
            if name.ends_with(".rs") && !is_test {
                let text = fs::read_to_string(&file)?;
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
                sources.push(Source { path, text });
            }
        }
    }
    Ok(sources)
}

/// Lines of each function, and whether they are too many.
fn functions(source: &Source) -> Vec<(usize, bool)> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words = code.split_once("fn ").map(|(before, _)| before.split_whitespace());
        let mut words = words.into_iter().flatten();
        let is_function = code.contains("fn ")
            && words.all(|word| word.starts_with("pub") || ["const", "async", "unsafe"].contains(&word));
        if !is_function {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let declaration = lines[start..].iter().position(|line| line.ends_with([';', '{', '}'])).unwrap_or(0);
        let length = match lines[start + declaration].ends_with('{') {
            true => lines[start..].iter().position(|line| *line == end).map_or(1, |last| last + 1),
            false => declaration + 1,
        };
        let above = lines[..start].iter().rev().take_while(|line| line.trim_start().starts_with(['/', '#']));
        let above: String = above.copied().collect();
        let limit = if above.contains("#[component]") { MAX_COMPONENT } else { MAX_FUNCTION };
        found.push((length, length > limit && !above.contains(REASON)));
    }
    found
}

/// Groups of more than [`MAX_CIRCLE`] files of one crate, each of which imports the others, directly or not.
fn circles(sources: &[Source]) -> Vec<Vec<String>> {
    let modules: BTreeMap<String, &Source> =
        sources.iter().map(|source| (module(&source.path), source)).collect();
    let mut reached = BTreeMap::new();
    for (name, source) in &modules {
        let mut imports = imports(name, &source.text);
        imports.retain(|path| path != name);
        let imported = imports.iter().filter_map(|path| {
            let mut prefixes = path.match_indices("::").map(|(at, _)| &path[..at]).collect::<Vec<_>>();
            prefixes.push(path);
            prefixes.into_iter().rev().find(|prefix| modules.contains_key(*prefix)).map(str::to_owned)
        });
        // The crate's root re-exports its modules.
        reached.insert(
            name.clone(),
            imported.filter(|to| to != name && to.contains("::")).collect::<BTreeSet<_>>(),
        );
    }
    for middle in modules.keys() {
        let beyond = reached[middle].clone();
        reached
            .values_mut()
            .filter(|to| to.contains(middle))
            .for_each(|to| to.extend(beyond.iter().cloned()));
    }
    let circle = |name: &String| -> Vec<String> {
        let mutual = reached[name].iter().filter(|other| reached[*other].contains(name));
        mutual.cloned().collect()
    };
    let all: BTreeSet<Vec<String>> = modules.keys().filter(|name| name.contains("::")).map(circle).collect();
    all.into_iter().filter(|circle| circle.len() > MAX_CIRCLE).collect()
}

/// `backend::chat::store` for `backend/src/chat/store.rs`.
fn module(path: &Path) -> String {
    let path = path.with_extension("").display().to_string();
    let (package, inner) = path.split_once("/src").unwrap_or((&path, ""));
    let inner = inner.trim_start_matches('/').replace('/', "::");
    match inner.as_str() {
        "lib" | "main" | "" => package.to_owned(),
        inner => format!("{package}::{inner}"),
    }
}

/// The paths behind `crate::`, `super::` and `self::` in a module's text, without braces.
fn imports(module: &str, text: &str) -> BTreeSet<String> {
    let root = module.split("::").next().unwrap_or(module).to_owned();
    let parent = module.rsplit_once("::").map_or(root.clone(), |(parent, _)| parent.to_owned());
    let mut found = BTreeSet::new();
    for (keyword, base) in [("crate::", &root), ("super::", &parent), ("self::", &module.to_owned())] {
        for (at, _) in text.match_indices(keyword) {
            expand(base, &text[at + keyword.len()..], &mut found);
        }
    }
    found
}

/// Adds every path of a use tree such as `a::{b, c::D}`; returns the rest of the text.
fn expand<'a>(base: &str, text: &'a str, found: &mut BTreeSet<String>) -> &'a str {
    let Some(mut rest) = text.strip_prefix('{') else {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, after) = (format!("{base}::{}", &text[..end]), &text[end..]);
        return match after.strip_prefix("::") {
            Some(inner) if end > 0 => expand(&name, inner, found),
            _ => {
                found.insert(name);
                after
            }
        };
    };
    loop {
        rest = expand(base, rest.trim_start(), found).trim_start();
        match rest.strip_prefix(',') {
            Some(more) if !more.trim_start().starts_with('}') => rest = more,
            other => return other.unwrap_or(rest).trim_start().trim_start_matches('}'),
        }
    }
}
