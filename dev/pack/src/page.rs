//! The page in trunk's `dist` folder.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::compress::{compress, with_suffix};
use crate::module::Tools;

/// File types that are worth compressing.
const COMPRESSED: [&str; 5] = ["html", "js", "css", "wasm", "svg"];

/// The packed script before its name is known.
const ENTRY: &str = "import init from 'the-module'; init({ module_or_path: '/WASM' });";

/// Packs the page in `dist`, in place.
pub(crate) fn pack(dist: &Path, tools: &Tools) -> Result<()> {
    if tools.can_bundle() {
        let index = dist.join("index.html");
        let html = fs::read_to_string(&index).with_context(|| format!("cannot read {}", index.display()))?;
        let html = merge_styles(&html, dist, tools)?;
        let html = pack_program(&html, dist, tools)?;
        fs::write(&index, html)?;
    } else {
        for wasm in files(dist)?.iter().filter(|file| has_extension(file, &["wasm"])) {
            tools.optimize(wasm)?;
        }
    }
    for file in files(dist)?.iter().filter(|file| has_extension(file, &COMPRESSED)) {
        compress(file)?;
    }
    Ok(())
}

/// Puts all style sheets into one. The links stand side by side, so that their order stays.
fn merge_styles(html: &str, dist: &Path, tools: &Tools) -> Result<String> {
    let links: Vec<&str> =
        tags(html, "<link").filter(|tag| attribute(tag, "rel") == Some("stylesheet")).collect();
    ensure!(!links.is_empty(), "index.html links no style sheet");
    let mut css = String::new();
    for link in &links {
        let href = attribute(link, "href").context("a style sheet has no address")?;
        let file = dist.join(href.trim_start_matches('/'));
        css += &fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        fs::remove_file(&file)?;
    }
    let file = dist.join("page.css");
    fs::write(&file, css)?;
    tools.minify(&file)?;
    let name = named_by_content(&file)?;
    let mut html = html.replacen(links[0], &format!("<link rel=\"stylesheet\" href=\"/{name}\">"), 1);
    for link in &links[1..] {
        html = html.replacen(link, "", 1);
    }
    Ok(html)
}

/// Packs the module and its script. The script starts the page; trunk's inline script goes.
fn pack_program(html: &str, dist: &Path, tools: &Tools) -> Result<String> {
    let preloads: Vec<&str> = tags(html, "<link").filter(|tag| tag.contains("preload")).collect();
    let loaded = |extension: &str| {
        let mut names = preloads.iter().filter_map(|tag| attribute(tag, "href"));
        // Modules that crates bring along are bundled with the script that imports them.
        let name = names.find(|name| name.ends_with(extension) && !name.contains("/snippets/"));
        let name = name.map(|name| name.trim_start_matches('/'));
        name.with_context(|| format!("index.html preloads no {extension}"))
    };
    let (glue, wasm) = (dist.join(loaded(".js")?), dist.join(loaded(".wasm")?));
    let (entry, script) = (dist.join("entry.mjs"), dist.join("page.js"));
    fs::write(&entry, ENTRY)?;
    tools.pack(&entry, &glue, &wasm, &script)?;
    fs::remove_file(&entry)?;
    fs::remove_file(&glue)?;
    let snippets = dist.join("snippets");
    if snippets.is_dir() {
        fs::remove_dir_all(snippets)?;
    }

    let module = dist.join("page.wasm");
    fs::rename(&wasm, &module)?;
    let wasm_name = named_by_content(&module)?;
    let text = fs::read_to_string(&script)?;
    ensure!(text.matches("/WASM").count() == 1, "the script does not load the module once");
    fs::write(&script, text.replace("/WASM", &format!("/{wasm_name}")))?;
    let script_name = named_by_content(&script)?;

    let mut html = html.to_owned();
    for tag in &preloads {
        html = html.replacen(tag, "", 1);
    }
    let inline = inline_module(&html)?.to_owned();
    let tags = format!(
        "<link rel=\"preload\" href=\"/{wasm_name}\" as=\"fetch\" type=\"application/wasm\" crossorigin>\
         <script type=\"module\" src=\"/{script_name}\"></script>"
    );
    Ok(html.replacen(&inline, &tags, 1))
}

/// trunk's inline `<script type="module">`, whole.
fn inline_module(html: &str) -> Result<&str> {
    let module = tags(html, "<script").find(|tag| attribute(tag, "type") == Some("module"));
    let (_, after) = html.split_once(module.context("index.html has no module script")?).unwrap_or_default();
    let length = after.find("</script>").context("a script does not end")? + "</script>".len();
    let start = html.len() - after.len() - module.map_or(0, str::len);
    Ok(&html[start..html.len() - after.len() + length])
}

/// Prints the bytes of each file, plain and as the server sends it.
pub(crate) fn print_sizes(dist: &Path) -> Result<()> {
    let (mut total_plain, mut total) = (0, 0);
    println!("| file | bytes | brotli |\n|---|---:|---:|");
    for file in files(dist)?.iter().filter(|file| !has_extension(file, &["br", "gz"])) {
        let plain = fs::metadata(file)?.len();
        // A file that is not worth compressing is sent as it is.
        let sent = fs::metadata(with_suffix(file, ".br")).map_or(plain, |data| data.len());
        println!("| {} | {plain} | {sent} |", file.strip_prefix(dist)?.display());
        total_plain += plain;
        total += sent;
    }
    println!("| all | {total_plain} | {total} |");
    Ok(())
}

/// Renames `page.css` to `page-0123456789abcdef.css`: files of this form are cached for ever.
fn named_by_content(file: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    fs::read(file)?.hash(&mut hasher);
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let name = format!("{}-{:016x}.{}", part(file.file_stem()), hasher.finish(), part(file.extension()));
    fs::rename(file, file.with_file_name(&name))?;
    Ok(name)
}

/// All tags that begin with `start`, such as `<link`.
fn tags<'a>(html: &'a str, start: &str) -> impl Iterator<Item = &'a str> {
    html.match_indices(start).filter_map(|(at, _)| {
        let end = html[at..].find('>')?;
        Some(&html[at..=at + end])
    })
}

/// The value of an attribute, which a minifier may have left without quotation marks.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = tag.split_once(&format!(" {name}="))?;
    match value.strip_prefix('"') {
        Some(quoted) => Some(quoted.split_once('"')?.0),
        None => value.split([' ', '>']).next(),
    }
}

fn has_extension(file: &Path, extensions: &[&str]) -> bool {
    file.extension().is_some_and(|own| extensions.iter().any(|one| own == *one))
}

/// Every file under `folder`, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_attributes_are_read_with_and_without_quotation_marks() {
        let html = "<link rel=stylesheet href=/a.css><link rel=\"preload\" href=\"/b.js\">";
        let links: Vec<_> = tags(html, "<link").collect();
        assert_eq!(attribute(links[0], "rel"), Some("stylesheet"));
        assert_eq!(attribute(links[0], "href"), Some("/a.css"));
        assert_eq!(attribute(links[1], "href"), Some("/b.js"));
        assert_eq!(attribute(links[1], "type"), None);
    }

    #[test]
    fn the_module_script_is_found_beside_others() {
        let module = "<script type=module>import a from '/a.js'</script>";
        let html = format!("<script>theme()</script>{module}<body></body>");
        assert_eq!(inline_module(&html).unwrap(), module);
    }
}
