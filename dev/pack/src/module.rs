//! A WebAssembly module and the script that loads it, made smaller together.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::names::{self, ShortNames};
use crate::order;

/// Flags of wasm-opt that make the compressed module smallest. Inlining functions with one caller only up to 20
/// instructions, and no merging of similar code, leaves more repetition for brotli: measured on the page, -Oz alone
/// gives 1.5 % more bytes. Zeros compress better than the addresses of segments between them, and hints of alignment, which no browser
/// reads, better when all are the same. The lowest KiB of memory is the end of Rust's stack, which only a stack overflow reaches, so an address below
/// it is nobody's, and small numbers that are added to addresses go into the instructions.
const WASM_OPT: [&str; 14] = [
    "-Oz",
    "--one-caller-inline-max-function-size=20",
    "--skip-pass=local-cse",
    "--skip-pass=merge-similar-functions",
    "--skip-pass=memory-packing",
    "--dealign",
    "--low-memory-unused",
    "--strip-target-features",
    // WebAssembly that every browser since 2023 has.
    "--enable-bulk-memory",
    "--enable-mutable-globals",
    "--enable-multivalue",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// The programs that do the work.
#[derive(Clone, Debug, Args)]
pub(crate) struct Tools {
    /// esbuild; without it scripts and style sheets stay as they are
    #[arg(long)]
    esbuild: Option<PathBuf>,
    /// wasm-opt; the module is larger without
    #[arg(long)]
    wasm_opt: Option<PathBuf>,
    /// wasm-bindgen
    #[arg(long, default_value = "wasm-bindgen")]
    pub(crate) wasm_bindgen: PathBuf,
}

impl Tools {
    /// Whether scripts and style sheets can be packed.
    pub(crate) fn can_bundle(&self) -> bool {
        self.esbuild.is_some()
    }

    /// Bundles `entry`, which imports wasm-bindgen's script `glue` as `the-module`, into `script`, and shortens the
    /// names in it and in `wasm` and its `parts`. Exports that nobody uses are dropped, with the code that only they
    /// call.
    pub(crate) fn pack(
        &self,
        entry: &Path,
        glue: &Path,
        wasm: &Path,
        parts: &[PathBuf],
        script: &Path,
    ) -> Result<()> {
        let module = fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
        let cache = script.with_extension("names.json");
        let names = names::generated(&module)?;
        let flags = [
            format!("--mangle-props=^({})$", names.join("|")),
            format!("--mangle-cache={}", cache.display()),
        ];
        // esbuild reads the cache before it writes it.
        fs::write(&cache, "{}")?;
        self.bundle(entry, glue, script, &flags)?;
        let bundle = fs::read_to_string(script)?;
        let short: ShortNames = serde_json::from_slice(&fs::read(&cache)?).context("esbuild's names")?;
        fs::remove_file(&cache)?;
        fs::write(wasm, names::shorten(&module, &short, &bundle)?)?;
        for part in parts {
            fs::write(part, names::shorten(&fs::read(part)?, &short, &bundle)?)?;
            self.optimize(part)?;
        }
        self.optimize(wasm)
    }

    /// Bundles `entry`, which imports wasm-bindgen's script `glue` as `the-module`, into `script`.
    pub(crate) fn bundle(&self, entry: &Path, glue: &Path, script: &Path, flags: &[String]) -> Result<()> {
        let files =
            [format!("--alias:the-module={}", glue.display()), format!("--outfile={}", script.display())];
        let common = [
            "--bundle",
            "--minify",
            "--format=esm",
            "--log-level=warning",
            // wasm-bindgen names a module once for each import from it.
            "--log-override:duplicate-object-key=silent",
        ];
        fs::write(glue, names::without_disposers(&fs::read_to_string(glue)?))?;
        run(self.esbuild()?.arg(entry).args(common).args(files).args(flags))
    }

    /// Minifies a script or a style sheet in place.
    pub(crate) fn minify(&self, file: &Path) -> Result<()> {
        let out = format!("--outfile={}", file.display());
        run(self.esbuild()?.arg(file).args(["--minify", "--allow-overwrite", "--log-level=warning"]).arg(out))
    }

    /// Makes a module smaller in place, where wasm-opt is there.
    pub(crate) fn optimize(&self, wasm: &Path) -> Result<()> {
        let Some(wasm_opt) = &self.wasm_opt else { return Ok(()) };
        run(Command::new(wasm_opt).args(WASM_OPT).arg(wasm).arg("-o").arg(wasm))?;
        fs::write(wasm, order::by_similarity(&fs::read(wasm)?)?)?;
        Ok(())
    }

    fn esbuild(&self) -> Result<Command> {
        Ok(Command::new(self.esbuild.as_ref().context("esbuild is needed for this")?))
    }
}

pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !status.success() {
        bail!("{} failed ({status})", command.get_program().display());
    }
    Ok(())
}
