//! The page's folder, made from index.html, its style sheets and the compiled program.
//!
//! It reads the `data-trunk` links of index.html, so that trunk and this make the same page.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::compress::{compress, with_suffix};
use crate::files::{files, has_extension, named_by_content};
use crate::module::Tools;
use crate::{program, service_worker};

/// File types that are worth compressing.
const COMPRESSED: [&str; 7] = ["html", "js", "mjs", "css", "wasm", "svg", "webmanifest"];

/// The line in a script of index.html that gets the address of the module with the Chinese texts, and the beginning of the module's name.
const CHINESE_TEXTS: (&str, &str) = ("const chinese = \"\";", "split_chinese-");

/// Makes `dist` from `index`, the page's index.html, and `compiled`, its program as cargo built it. What was in `dist`
/// goes.
pub(crate) fn pack(index: &Path, compiled: &Path, dist: &Path, tools: &Tools) -> Result<()> {
    let sources = index.parent().context("index.html has a folder")?;
    let parent = dist.parent().context("the page's folder has a parent")?;
    // Beside `dist`, so that files can be renamed; a page that cannot be made leaves the old one.
    let work = tempfile::tempdir_in(parent)?;
    let new = work.path().join("dist");
    fs::create_dir(&new)?;

    let mut html = fs::read_to_string(index).with_context(|| format!("cannot read {}", index.display()))?;
    let links: Vec<String> =
        tags(&html, "<link").filter(|tag| tag.contains(" data-trunk")).map(str::to_owned).collect();
    let of_kind = |kind: &'static str| links.iter().filter(move |tag| attribute(tag, "rel") == Some(kind));
    let known = ["css", "rust", "copy-file"];
    if let Some(other) =
        links.iter().find(|tag| !known.iter().any(|kind| attribute(tag, "rel") == Some(kind)))
    {
        bail!("no rule for {other} in index.html");
    }
    for tag in of_kind("copy-file") {
        let file = sources.join(attribute(tag, "href").context("a file to copy has no address")?);
        let name = file.file_name().context("a file to copy has no name")?;
        fs::copy(&file, new.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
        html = html.replacen(tag, "", 1);
    }
    html = replaced(&html, &of_kind("css").collect::<Vec<_>>(), &styles(&links, sources, &new, tools)?);
    let program = if tools.can_bundle() {
        program::pack(compiled, &new, work.path(), tools)?
    } else {
        program::copy(compiled, &new, tools)?
    };
    let loads = format!(
        "<link rel=\"preload\" href=\"{}\" as=\"fetch\" type=\"application/wasm\" crossorigin>\
         <script type=\"module\" src=\"{}\"></script>",
        program.module, program.script
    );
    html = replaced(&html, &of_kind("rust").collect::<Vec<_>>(), &loads);
    let html = with_chinese_texts(&without_indentation(&html), &program.parts)?;
    fs::write(new.join("index.html"), &html)?;
    if tools.can_bundle() {
        service_worker::fill(&new, &html, &program.script, tools)?;
    }

    for file in files(&new)?.iter().filter(|file| has_extension(file, &COMPRESSED)) {
        compress(file)?;
    }
    if dist.exists() {
        fs::remove_dir_all(dist).with_context(|| format!("cannot empty {}", dist.display()))?;
    }
    fs::rename(&new, dist).with_context(|| format!("cannot write {}", dist.display()))
}

/// Puts all style sheets into one. Returns its tag.
fn styles(links: &[String], sources: &Path, new: &Path, tools: &Tools) -> Result<String> {
    let mut css = String::new();
    for link in links.iter().filter(|tag| attribute(tag, "rel") == Some("css")) {
        let file = sources.join(attribute(link, "href").context("a style sheet has no address")?);
        css += &fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    ensure!(!css.is_empty(), "index.html links no style sheet");
    let file = new.join("page.css");
    fs::write(&file, css)?;
    if tools.can_bundle() {
        tools.minify(&file)?;
    }
    Ok(format!("<link rel=\"stylesheet\" href=\"{}\">", named_by_content(&file, &file)?))
}

/// `html` with `new` in the place of the first of `tags`, and without the others.
fn replaced(html: &str, tags: &[&String], new: &str) -> String {
    let mut html = html.to_owned();
    for (index, tag) in tags.iter().enumerate() {
        html = html.replacen(*tag, if index == 0 { new } else { "" }, 1);
    }
    html
}

/// `html` without indentation, empty lines and comments of one line. Texts of the page do not depend on them.
fn without_indentation(html: &str) -> String {
    let lines = html.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    let lines = lines.filter(|line| !(line.starts_with("<!--") && line.ends_with("-->")));
    lines.collect::<Vec<_>>().join("\n")
}

/// `html` with the address of the module with the Chinese texts, if there is one among `parts`.
fn with_chinese_texts(html: &str, parts: &[String]) -> Result<String> {
    let (line, beginning) = CHINESE_TEXTS;
    let Some(part) = parts.iter().find(|name| name.starts_with(beginning)) else {
        return Ok(html.to_owned());
    };
    ensure!(html.matches(line).count() == 1, "index.html has no line `{line}`");
    Ok(html.replace(line, &format!("const chinese = \"{part}\";")))
}

/// Prints the bytes of each file, plain and as the server sends it.
pub(crate) fn print_sizes(dist: &Path) -> Result<()> {
    let index = fs::read_to_string(dist.join("index.html")).context("there is no index.html")?;
    let (mut at_start, mut total) = (0, 0);
    println!("| file | bytes | brotli | loaded |\n|---|---:|---:|---|");
    for file in files(dist)?.iter().filter(|file| !has_extension(file, &["br", "gz"])) {
        let plain = fs::metadata(file)?.len();
        // A file that is not worth compressing is sent as it is.
        let sent = fs::metadata(with_suffix(file, ".br")).map_or(plain, |data| data.len());
        let name = file.strip_prefix(dist)?.display().to_string();
        let is_named = ["href", "src"].iter().any(|word| index.contains(&format!(" {word}=\"{name}\"")));
        let is_at_start = name == "index.html" || is_named;
        println!(
            "| {name} | {plain} | {sent} | {} |",
            if is_at_start { "at the start" } else { "when needed" }
        );
        total += sent;
        at_start += if is_at_start { sent } else { 0 };
    }
    println!("| at the start | | {at_start} | |\n| all | | {total} | |");
    Ok(())
}

/// All tags that begin with `start`, such as `<link`.
fn tags<'a>(html: &'a str, start: &str) -> impl Iterator<Item = &'a str> {
    html.match_indices(start).filter_map(|(at, _)| {
        let end = html[at..].find('>')?;
        Some(&html[at..=at + end])
    })
}

/// The value of an attribute, in quotation marks.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    Some(value.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_attributes_are_read() {
        let html = "<link data-trunk rel=\"css\" href=\"a.css\" />\n<link rel=\"icon\" href=\"b.svg\">";
        let links: Vec<_> = tags(html, "<link").collect();
        assert_eq!(attribute(links[0], "rel"), Some("css"));
        assert_eq!(attribute(links[0], "href"), Some("a.css"));
        assert_eq!(attribute(links[1], "href"), Some("b.svg"));
        assert_eq!(attribute(links[1], "type"), None);
    }

    #[test]
    fn tags_are_replaced_by_one() {
        let (a, b) = ("<a>".to_owned(), "<b>".to_owned());
        assert_eq!(replaced("1<a>2<b>3", &[&a, &b], "<c>"), "1<c>23");
    }

    #[test]
    fn the_module_with_chinese_texts_is_named_in_the_document() {
        let parts = ["split_calls-01.wasm", "split_chinese-02.wasm"].map(str::to_owned);
        let html = "<script>const chinese = \"\";</script>";
        assert_eq!(
            with_chinese_texts(html, &parts).unwrap(),
            "<script>const chinese = \"split_chinese-02.wasm\";</script>"
        );
        assert_eq!(with_chinese_texts(html, &parts[..1]).unwrap(), html);
        assert!(with_chinese_texts("<script></script>", &parts).is_err());
    }

    #[test]
    fn indentation_and_comments_are_dropped() {
        let html = "<p>\n  // why\n  let a = \"x  y\";\n\n  <!-- so -->\n</p>";
        assert_eq!(without_indentation(html), "<p>\nlet a = \"x  y\";\n</p>");
    }
}
