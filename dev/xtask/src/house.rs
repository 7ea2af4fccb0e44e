//! `cargo xtask house`: the limits of the house style that a program can check, and the figures behind them.
//!
//! It reads the lines of files as rustfmt formats them, and knows no Rust beyond that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Result, ensure};

use crate::page::files;
use crate::root;
use crate::step::say;

const MAX_FILE: usize = 400;
const MAX_FUNCTION: usize = 50;
const MAX_COMPONENT: usize = 80;
/// Files that import each other, directly or not.
const MAX_CIRCLE: usize = 2;
/// A comment with these words above a longer function, or in the head of a longer file, gives the reason.
const REASON: &str = "longer than the limit";
/// Parts of the paths of tests and generated code.
const NOT_PRODUCTION: [&str; 5] = ["/tests/", "/fuzz/", "/generated/", "tests.rs", "fuzzing.rs"];

/// The production code of each file, by its module's path: `backend::chat::store` for `backend/src/chat/store.rs`.
type Sources = BTreeMap<String, String>;

/// Prints the figures, and checks the limits.
pub(crate) fn run() -> Result<()> {
    let sources = sources()?;
    let mut files: Vec<usize> = sources.values().map(|text| text.lines().count()).collect();
    let mut functions: Vec<usize> =
        sources.values().flat_map(|text| functions(text)).map(|(len, _)| len).collect();
    println!("production lines: {}", files.iter().sum::<usize>());
    for (what, lengths) in [("files", &mut files), ("functions", &mut functions)] {
        lengths.sort_unstable();
        let at = |percent: usize| lengths[(lengths.len() - 1) * percent / 100];
        println!("{what}: {}; lines: median {}, p90 {}, most {}", lengths.len(), at(50), at(90), at(100));
    }
    check()
}

/// Checks the limits.
pub(crate) fn check() -> Result<()> {
    let sources = sources()?;
    let mut exceeded = Vec::new();
    for (module, text) in &sources {
        let lines = text.lines().count();
        if lines > MAX_FILE
            && !text.lines().take_while(|line| line.starts_with("//!")).any(|l| l.contains(REASON))
        {
            exceeded.push(format!("{module} has {lines} lines"));
        }
        let too_long = functions(text).into_iter().filter(|(_, is_too_long)| *is_too_long);
        exceeded.extend(too_long.map(|(lines, _)| format!("a function in {module} has {lines} lines")));
    }
    for circle in circles(&sources) {
        exceeded.push(format!("{} files import each other: {}", circle.len(), circle.join(", ")));
    }
    exceeded.iter().for_each(|line| say(line));
    ensure!(exceeded.is_empty(), "{} limits of the house style are exceeded", exceeded.len());
    Ok(())
}

fn sources() -> Result<Sources> {
    let mut sources = Sources::new();
    for folder in ["backend", "crates", "dev", "frontend", "proto"] {
        for file in files(&root().join(folder))? {
            let path = file.strip_prefix(root())?.to_string_lossy().into_owned();
            if let Some(module) = path.strip_suffix(".rs")
                && !NOT_PRODUCTION.iter().any(|part| path.contains(part))
            {
                let module = module.trim_end_matches("/lib").trim_end_matches("/main").replace("/src", "");
                let text = fs::read_to_string(&file)?;
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                sources.insert(module.replace('/', "::"), text.to_owned());
            }
        }
    }
    Ok(sources)
}

/// Lines of each function, and whether they are too many.
fn functions(text: &str) -> Vec<(usize, bool)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_modifier = |word: &str| word.starts_with("pub") || ["const", "async", "unsafe"].contains(&word);
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if !code.split_once("fn ").is_some_and(|(before, _)| before.split_whitespace().all(is_modifier)) {
            continue;
        }
        let rest = &lines[start..];
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let head = rest.iter().position(|line| line.ends_with([';', '{', '}'])).unwrap_or(0);
        let last =
            if rest[head].ends_with('{') { rest.iter().position(|line| *line == end) } else { Some(head) };
        let length = last.map_or(1, |last| last + 1);
        let above = lines[..start].iter().rev().take_while(|line| line.trim_start().starts_with(['/', '#']));
        let above: String = above.copied().collect();
        let limit = if above.contains("#[component]") { MAX_COMPONENT } else { MAX_FUNCTION };
        found.push((length, length > limit && !above.contains(REASON)));
    }
    found
}

/// Groups of more than [`MAX_CIRCLE`] modules that import each other. A module may use its ancestors, which own it.
fn circles(sources: &Sources) -> BTreeSet<Vec<&str>> {
    let known = |path: &str| {
        let ends = path.match_indices("::").map(|(at, _)| at).chain([path.len()]);
        ends.filter_map(|end| sources.get_key_value(&path[..end])).last().map(|(module, _)| module)
    };
    let mut reached = BTreeMap::new();
    for (module, text) in sources {
        let paths = imports(module, text);
        let imported = paths.iter().filter_map(|path| known(path));
        let others = imported.filter(|other| !format!("{module}::").starts_with(&format!("{other}::")));
        reached.insert(module, others.collect::<BTreeSet<_>>());
    }
    for middle in sources.keys() {
        let beyond = reached[middle].clone();
        reached
            .values_mut()
            .filter(|others| others.contains(middle))
            .for_each(|others| others.extend(&beyond));
    }
    let circle = |module| {
        reached[module].iter().filter(|other| reached[**other].contains(module)).map(|m| m.as_str()).collect()
    };
    sources.keys().map(circle).filter(|circle: &Vec<_>| circle.len() > MAX_CIRCLE).collect()
}

/// The paths behind `crate::`, `super::` and `self::` in the text of a module.
fn imports(module: &str, text: &str) -> BTreeSet<String> {
    let krate = if module.starts_with("crates::") || module.starts_with("dev::") { 2 } else { 1 };
    let root = module.split("::").take(krate).collect::<Vec<_>>().join("::");
    let parent = module.rsplit_once("::").map_or(module, |(parent, _)| parent);
    // A link of the documentation is no import.
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code = text.lines().filter(is_code).collect::<Vec<_>>().join("\n");
    let text = code.as_str();
    let mut found = BTreeSet::new();
    for (keyword, base) in [("crate::", root.as_str()), ("super::", parent), ("self::", module)] {
        for (at, _) in text.match_indices(keyword) {
            expand(base, &text[at + keyword.len()..], &mut found);
        }
    }
    found
}

/// Adds every path of a use tree such as `a::{b, c::D}` to `found`; returns the text behind the tree.
fn expand<'a>(base: &str, text: &'a str, found: &mut BTreeSet<String>) -> &'a str {
    let Some(mut rest) = text.strip_prefix('{') else {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let path = format!("{base}::{}", &text[..end]);
        if let Some(inner) = text[end..].strip_prefix("::") {
            return expand(&path, inner, found);
        }
        found.insert(path);
        return &text[end..];
    };
    loop {
        rest = expand(base, rest.trim_start(), found).trim_start();
        match rest.strip_prefix(',').map(str::trim_start) {
            Some(more) if !more.starts_with('}') => rest = more,
            other => return other.unwrap_or(rest).trim_start_matches('}'),
        }
    }
}
