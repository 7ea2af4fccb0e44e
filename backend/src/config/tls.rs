//! The server's certificate and key: the flags, their files, and why they cannot be used.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use tonic_serve::{Tls, TlsError};

use super::refuse;

/// Flags as clap writes them in its own errors.
const CERTIFICATE: &str = "--tls-certificate <FILE>";
const KEY: &str = "--tls-key <FILE>";

/// The server's certificate and key: both or none.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsConfig {
    /// PEM file with the server's certificate, followed by the intermediate certificates; with it, the port
    /// accepts https only
    #[arg(
        id = "tls_certificate",
        long = "tls-certificate",
        env = "CHINWAG_TLS_CERTIFICATE",
        value_name = "FILE",
        requires = "tls_key",
        group = "https"
    )]
    pub certificate: Option<PathBuf>,

    /// PEM file with the private key of the server's certificate
    #[arg(
        id = "tls_key",
        long = "tls-key",
        env = "CHINWAG_TLS_KEY",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    pub key: Option<PathBuf>,

    /// TLS whose certificate the server gets by itself.
    #[arg(skip)]
    pub managed: Option<Tls>,
}

/// The files of a certificate and its key, PEM.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
}

/// The contents of these files.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// One of the files cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TlsRefusal {
    flag: &'static str,
    file: PathBuf,
    reason: String,
}

impl fmt::Display for TlsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.reason)
    }
}

impl TlsFiles {
    /// Reads both files; blocks.
    pub(crate) fn read(&self) -> Result<Pem, TlsRefusal> {
        let certificate = read(CERTIFICATE, &self.certificate)?;
        Ok(Pem { certificate, key: read(KEY, &self.key)? })
    }

    /// TLS with the contents of the files.
    pub(crate) fn load(&self, pem: &Pem) -> Result<Tls, TlsRefusal> {
        Tls::from_pem(&pem.certificate, &pem.key).map_err(|error| self.explain(&error))
    }

    /// Exchanges the certificate of `tls`, and tells whether it is another one. After an error it has the one that it had.
    pub(crate) fn replace(&self, tls: &Tls, pem: &Pem) -> Result<bool, TlsRefusal> {
        tls.replace_certificate(&pem.certificate, &pem.key).map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &TlsError) -> TlsRefusal {
        let (flag, file) = match error {
            TlsError::Key(_) | TlsError::Pair(_) => (KEY, &self.key),
            _ => (CERTIFICATE, &self.certificate),
        };
        let reason = match error {
            TlsError::Pair(reason) => {
                format!("it is not the key of {} ({reason})", self.certificate.display())
            }
            _ => error.to_string(),
        };
        TlsRefusal { flag, file: file.clone(), reason }
    }
}

fn read(flag: &'static str, file: &Path) -> Result<Vec<u8>, TlsRefusal> {
    fs::read(file).map_err(|error| {
        let reason = format!("it has to be a file that can be read ({error})");
        TlsRefusal { flag, file: file.to_owned(), reason }
    })
}

impl TlsConfig {
    /// The files of the certificate and the key, when they are configured.
    pub(crate) fn files(&self) -> Option<TlsFiles> {
        let (certificate, key) = (self.certificate.clone()?, self.key.clone()?);
        Some(TlsFiles { certificate, key })
    }

    /// Loads certificate and key, when they are configured. Errors name the flag whose file is wrong.
    pub fn load(&self) -> Result<Option<Tls>, clap::Error> {
        let Some(files) = self.files() else { return Ok(self.managed.clone()) };
        let loaded = files.read().and_then(|pem| files.load(&pem));
        loaded.map(Some).map_err(|TlsRefusal { flag, file, reason }| refuse(flag, &file, &reason))
    }
}
