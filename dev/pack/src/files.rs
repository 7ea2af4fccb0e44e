//! Files and their names.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Every file under `folder`, in order.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
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

/// Moves `file` to `new`, with a hash of its content in its name: `page-0123456789abcdef.css` for `page.css`. Files of
/// this form are cached for ever. Returns the name.
pub(crate) fn named_by_content(file: &Path, new: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    fs::read(file)?.hash(&mut hasher);
    let part = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let name = format!("{}-{:016x}.{}", part(new.file_stem()), hasher.finish(), part(new.extension()));
    fs::rename(file, new.with_file_name(&name))?;
    Ok(name)
}

pub(crate) fn has_extension(file: &Path, extensions: &[&str]) -> bool {
    file.extension().is_some_and(|own| extensions.iter().any(|one| own == *one))
}
