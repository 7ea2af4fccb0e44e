//! The files of ACME in the data folder: the account at the authority, and the certificate with its key. Only the server's user can
//! read them.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::config::AcmeConfig;

/// The folder inside the data folder.
const FOLDER: &str = "acme";

/// The files for one authority and one set of names: other flags have other files, so none is used for the wrong ones.
#[derive(Clone, Debug)]
pub(super) struct Store {
    folder: PathBuf,
    account: PathBuf,
    certificate: PathBuf,
}

impl Store {
    pub(super) fn new(data: &Path, config: &AcmeConfig) -> Self {
        let folder = data.join(FOLDER);
        let mut names: Vec<_> = config.domains.iter().map(ToString::to_string).collect();
        names.sort();
        let authority = digest(&config.directory);
        let certificate = digest(&format!("{} {}", config.directory, names.join(" ")));
        Self {
            account: folder.join(format!("account-{authority}.json")),
            certificate: folder.join(format!("certificate-{certificate}.pem")),
            folder,
        }
    }

    /// The stored account; blocks.
    pub(super) fn account(&self) -> anyhow::Result<Option<Vec<u8>>> {
        read(&self.account)
    }

    /// Stores the account; blocks.
    pub(super) fn put_account(&self, json: &[u8]) -> anyhow::Result<()> {
        self.put(&self.account, json)
    }

    /// The stored key with its certificate and chain, PEM, and the time since which they are stored; blocks.
    pub(super) fn certificate(&self) -> anyhow::Result<Option<(Vec<u8>, SystemTime)>> {
        let Some(pem) = read(&self.certificate)? else { return Ok(None) };
        Ok(Some((pem, fs::metadata(&self.certificate)?.modified()?)))
    }

    /// Stores key, certificate and chain in one file, so that they always match; blocks.
    pub(super) fn put_certificate(&self, pem: &[u8]) -> anyhow::Result<()> {
        self.put(&self.certificate, pem)
    }

    fn put(&self, path: &Path, content: &[u8]) -> anyhow::Result<()> {
        let unfinished = path.with_extension("new");
        let written = fs::create_dir_all(&self.folder)
            .and_then(|()| create(&unfinished))
            .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&unfinished, path));
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A new file that only this user can read.
fn create(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// A short name for a text.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
