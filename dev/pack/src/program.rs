//! The page's program: split into parts, bound to JavaScript, bundled and made smaller.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::files::named_by_content;
use crate::module::{Tools, run};
use crate::{exports, merge, panics};

/// The script of wasm-bindgen, and of the program's parts, which import it.
const GLUE: &str = "page.js";
/// The script that loads the parts.
const LOADER: &str = "./__wasm_split.js";
/// Its text, but for the names.
const LOADER_TEXT: &str = include_str!("loader.js");

/// The parts in the order in which a page loads them: those that nobody asks for, and the Greeter before the explorer. Others come last.
/// Shared code is in one module for the first of these parts that needs it.
const ORDER: [&str; 6] = [WHOLE, "join", "kept", "dialogs", "calls", "greeter"];

/// A part that the program waits for, so that it is one module.
const WHOLE: &str = "chinese";

/// The flags of wasm-bindgen: splitting needs the names of the linker.
const FLAGS: [&str; 2] = ["--keep-lld-exports", "--no-demangle"];

/// The packed script before the module's name is known.
const ENTRY: &str = "import init from 'the-module'; init({ module_or_path: '/WASM' });";

/// The names of the files that a page loads at its start.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) script: String,
    pub(crate) module: String,
    /// The modules of parts, which are loaded later.
    pub(crate) parts: Vec<String>,
}

/// Writes the packed program into `dist`: a script, a module, and a module for each part. `work` is an empty folder.
pub(crate) fn pack(compiled: &Path, dist: &Path, work: &Path, tools: &Tools) -> Result<Files> {
    let (entry, script, module) = (work.join("entry.mjs"), work.join("bundle.js"), work.join("page_bg.wasm"));
    fs::write(&entry, ENTRY)?;
    let used = without_unused(compiled, &entry, work, tools)?;
    let main = work.join("main.wasm");
    let parts = split(&used, &main, work)?;
    bind(&main, work, tools, &FLAGS)?;
    tools.pack(&entry, &work.join(GLUE), &module, &parts, &script)?;

    let mut text = fs::read_to_string(&script)?;
    let mut move_to_dist = |file: &Path, stem: &str, address: &str| -> Result<String> {
        let name = named_by_content(file, &dist.join(stem))?;
        ensure!(text.contains(address), "the script does not load {}", file.display());
        text = text.replace(address, &format!("./{name}"));
        Ok(name)
    };
    let mut moved = Vec::new();
    for part in &parts {
        let name = part.file_name().context("a part has a name")?.to_string_lossy();
        moved.push(move_to_dist(part, &name, &format!("./{name}"))?);
    }
    let module = move_to_dist(&module, "page.wasm", "/WASM")?;
    fs::write(&script, text)?;
    Ok(Files { script: named_by_content(&script, &dist.join("page.js"))?, module, parts: moved })
}

/// Writes a program that is as the compiler made it into `dist`, for want of esbuild.
pub(crate) fn copy(compiled: &Path, dist: &Path, tools: &Tools) -> Result<Files> {
    bind(compiled, dist, tools, &[])?;
    tools.optimize(&dist.join("page_bg.wasm"))?;
    fs::write(dist.join("start.js"), "import init from './page.js'; init();")?;
    Ok(Files { script: "start.js".to_owned(), module: "page_bg.wasm".to_owned(), parts: Vec::new() })
}

/// The program without texts of panics and without functions for scripts that its own does not call: both before splitting, which leaves out
/// what nothing names any more.
fn without_unused(compiled: &Path, entry: &Path, work: &Path, tools: &Tools) -> Result<Vec<u8>> {
    let wasm = fs::read(compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
    let wasm = panics::without_texts(&wasm)?;
    let whole = work.join("whole");
    let (program, script) = (whole.join("main.wasm"), whole.join("bundle.js"));
    fs::create_dir(&whole)?;
    fs::write(&program, &wasm)?;
    bind(&program, &whole, tools, &FLAGS)?;
    // The functions that load parts, which splitting makes.
    let external = ["--external:__wasm_split_placeholder__".to_owned()];
    tools.bundle(entry, &whole.join(GLUE), &script, &external)?;
    exports::without_unused(&wasm, &fs::read_to_string(script)?)
}

/// Splits the parts off, into `work`. Returns their modules.
fn split(wasm: &[u8], main: &Path, work: &Path) -> Result<Vec<PathBuf>> {
    let glue = format!("./{GLUE}");
    let mut options = wasm_split_cli_support::Options::new(wasm);
    options.output_dir = work;
    options.main_out_path = main;
    options.main_module = &glue;
    options.link_name = LOADER;
    let split = wasm_split_cli_support::transform(options);
    let needs = split.map_err(|error| anyhow!("cannot split the program: {error:#}"))?.prefetch_map;
    let parts = Parts::group(needs.into_iter().collect());
    let mut modules = BTreeMap::new();
    for (name, together) in &parts.modules {
        let read = |name: &String| fs::read(work.join(name).with_extension("wasm"));
        let together = together.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        modules.insert(work.join(name).with_extension("wasm"), merge::merged(&together)?);
    }
    for (file, module) in &modules {
        fs::write(file, module)?;
    }
    fs::write(work.join(LOADER), parts.loader(&merge::imports(modules.values())?))?;
    Ok(modules.into_keys().collect())
}

/// The modules of a program's parts.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    /// The names of the modules of each part.
    needs: BTreeMap<String, BTreeSet<String>>,
    /// The modules that splitting made, by the module that they are put together in.
    modules: BTreeMap<String, BTreeSet<String>>,
}

impl Parts {
    /// Puts together what parts share, from the names of the modules that each part needs.
    fn group(needs: BTreeMap<String, Vec<String>>) -> Parts {
        let place = |part: &String| {
            let place = ORDER.iter().position(|known| known == part);
            (place.unwrap_or(ORDER.len()), part.clone())
        };
        let mut in_order: Vec<_> = needs.keys().collect();
        in_order.sort_by_key(|part| place(part));
        let mut homes = BTreeMap::new();
        for part in in_order {
            for module in &needs[part] {
                let own = format!("split_{part}");
                let is_own = *module == own || part == WHOLE;
                let home = if is_own { own } else { format!("shared_{part}") };
                homes.entry(module.clone()).or_insert(home);
            }
        }
        let mut modules = BTreeMap::<_, BTreeSet<_>>::new();
        for (module, home) in &homes {
            modules.entry(home.clone()).or_default().insert(module.clone());
        }
        let home_of = |module: String| homes[&module].clone();
        let needs = needs.into_iter().map(|(part, needs)| (part, needs.into_iter().map(home_of).collect()));
        Parts { needs: needs.collect(), modules }
    }

    /// The script that loads the parts. `shared` are the names of what the program gives them.
    fn loader(&self, shared: &BTreeSet<String>) -> String {
        let shared: Vec<&str> = shared.iter().map(String::as_str).collect();
        let mut text =
            LOADER_TEXT.replace("GLUE", &format!("./{GLUE}")).replace("SHARED", &shared.join(", "));
        for (part, modules) in &self.needs {
            let addresses: Vec<_> = modules.iter().map(|name| format!("\"./{name}.wasm\"")).collect();
            text += &format!("export const __wasm_split_load_{part} = part({});\n", addresses.join(", "));
        }
        text
    }
}

/// Makes `page.js` and `page_bg.wasm` in `folder` by wasm-bindgen.
fn bind(wasm: &Path, folder: &Path, tools: &Tools, flags: &[&str]) -> Result<()> {
    let mut command = Command::new(&tools.wasm_bindgen);
    command.args(["--target", "web", "--no-typescript", "--out-name", "page", "--out-dir"]);
    run(command.arg(folder).args(flags).arg(wasm))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_parts_share_is_in_one_module_for_the_first_that_needs_it() {
        let needs = [
            ("calls", vec!["chunk_8", "chunk_9", "split_calls"]),
            ("greeter", vec!["chunk_9", "chunk_10", "chunk_11", "split_greeter"]),
            ("explorer", vec!["chunk_10", "split_explorer"]),
            ("join", vec!["chunk_8", "split_join"]),
            ("merged", vec!["chunk_11"]),
            ("chinese", vec!["chunk_12", "split_chinese"]),
        ];
        let needs =
            needs.map(|(part, needs)| (part.to_owned(), needs.into_iter().map(str::to_owned).collect()));
        let parts = Parts::group(needs.into());
        assert_eq!(parts.needs["join"], names(&["shared_join", "split_join"]));
        assert_eq!(parts.needs["calls"], names(&["shared_calls", "shared_join", "split_calls"]));
        assert_eq!(parts.modules["shared_join"], names(&["chunk_8"]));
        assert_eq!(parts.modules["shared_calls"], names(&["chunk_9"]));
        assert_eq!(parts.modules["shared_greeter"], names(&["chunk_10", "chunk_11"]));
        assert_eq!(parts.needs["chinese"], names(&["split_chinese"]));
        assert_eq!(parts.modules["split_chinese"], names(&["chunk_12", "split_chinese"]));
        // A part of which nothing is left loads what it shares.
        assert_eq!(parts.needs["merged"], names(&["shared_greeter"]));
    }

    #[test]
    fn the_loader_names_the_modules_of_each_part() {
        let parts =
            Parts::group([("join".to_owned(), vec!["chunk_8".to_owned(), "split_join".to_owned()])].into());
        let loader = parts.loader(&names(&["memory", "table"]));
        let line =
            "export const __wasm_split_load_join = part(\"./shared_join.wasm\", \"./split_join.wasm\");";
        assert!(loader.contains(line), "{loader}");
        assert!(loader.contains("{ memory, table } = initSync()") && loader.contains("from \"./page.js\""));
    }
}
