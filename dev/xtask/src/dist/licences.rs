//! The licences of all libraries in the program and in its page: each text once, with the libraries that it is for.
//!
//! cargo knows the libraries, and its folder of sources has their texts. `cargo-about` does the same with more care for files without a
//! name; it takes five minutes to install, and `cargo deny` already refuses a library whose licence is not clear.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::command::cargo;

/// Beginnings of the names of files with licences and notices, in lower case.
const NAMES: [&str; 5] = ["licence", "license", "copying", "notice", "unlicense"];

/// A library, and the licences that it may be used under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Library {
    name: String,
    version: String,
    licence: String,
}

/// The whole list.
pub(super) fn text() -> Result<String> {
    let sources = sources()?;
    let libraries = libraries()?;
    let mut list =
        String::from("Chinwag: MIT OR Apache-2.0\n\nIts program and its page contain these libraries:\n\n");
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for library in &libraries {
        let Library { name, version, licence } = library;
        list.push_str(&format!("{name} {version}: {licence}\n"));
        for text in texts(library, &sources)? {
            users.entry(text).or_default().push(format!("{name} {version}"));
        }
    }
    for (text, users) in users {
        list.push_str(&format!("\n{}\n{}\n\n{text}\n", "-".repeat(80), users.join(", ")));
    }
    Ok(list)
}

/// The libraries of the program and of its page, without those that only compile them.
fn libraries() -> Result<BTreeSet<Library>> {
    let mut found = BTreeSet::new();
    for package in [
        &["--package", "backend", "--features", "dist"][..],
        &["--package", "frontend", "--features", "split", "--target", "wasm32-unknown-unknown"],
    ] {
        let words = ["tree", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}\t{l}"];
        let tree = cargo(words.iter().chain(package)).output().context("`cargo tree` fails")?;
        found.extend(tree.lines().filter_map(library));
    }
    ensure!(!found.is_empty(), "`cargo tree` names no library");
    Ok(found)
}

/// Reads a line of `cargo tree`. `None` for a package of this workspace, whose folder follows its version.
fn library(line: &str) -> Option<Library> {
    let (package, licence) = line.trim_end_matches(" (*)").split_once('\t')?;
    let (name, version) = package.split_once(" v")?;
    let is_ours = version.contains('(');
    (!is_ours).then(|| Library {
        name: name.to_owned(),
        version: version.to_owned(),
        licence: licence.to_owned(),
    })
}

/// cargo's folders of unpacked sources.
fn sources() -> Result<Vec<PathBuf>> {
    let home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => std::env::home_dir().context("there is no home directory")?.join(".cargo"),
    };
    let folder = home.join("registry/src");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// The texts of a library's licences. Of several to choose from, that of MIT is enough.
fn texts(library: &Library, sources: &[PathBuf]) -> Result<Vec<String>> {
    let name = format!("{}-{}", library.name, library.version);
    let folder = sources.iter().map(|folder| folder.join(&name)).find(|folder| folder.is_dir());
    let folder = folder.with_context(|| format!("cargo has no sources of {name}"))?;
    let files = licence_files(&folder)?;
    let of_mit: Vec<&PathBuf> = files.iter().filter(|file| lower_name(file).contains("mit")).collect();
    let is_choice = library.licence.contains(" OR ") || library.licence.contains('/');
    let chosen = if is_choice && !of_mit.is_empty() { of_mit } else { files.iter().collect() };
    let read = |file: &PathBuf| {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(String::from_utf8_lossy(&bytes).replace('\r', "").trim().to_owned())
    };
    chosen.into_iter().map(read).collect()
}

fn licence_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && NAMES.iter().any(|name| lower_name(&path).starts_with(name)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn lower_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_tree_are_read() {
        let read = library("bytes v1.10.0\tMIT").unwrap();
        assert_eq!((read.name, read.version, read.licence), ("bytes".into(), "1.10.0".into(), "MIT".into()));
        let again = library("http v1.2.0\tMIT OR Apache-2.0 (*)").unwrap();
        assert_eq!(again.licence, "MIT OR Apache-2.0");
        assert_eq!(library("proto v0.1.0 (/folder/proto)\tMIT"), None);
    }

    #[test]
    fn of_several_licences_that_of_mit_is_taken() {
        let sources = tempfile::tempdir().unwrap();
        let folder = sources.path().join("a-1.0.0");
        fs::create_dir(&folder).unwrap();
        for (name, text) in [("LICENSE-MIT", "mit\r\n"), ("LICENSE-APACHE", "apache"), ("lib.rs", "code")] {
            fs::write(folder.join(name), text).unwrap();
        }
        let library = |licence: &str| Library {
            name: "a".to_owned(),
            version: "1.0.0".to_owned(),
            licence: licence.to_owned(),
        };
        let texts = |licence| texts(&library(licence), &[sources.path().to_owned()]).unwrap();
        assert_eq!(texts("MIT OR Apache-2.0"), ["mit"]);
        assert_eq!(texts("MIT AND Apache-2.0"), ["apache", "mit"]);
    }
}
