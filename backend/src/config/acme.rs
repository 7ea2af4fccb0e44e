//! A certificate from an authority that speaks ACME (RFC 8555), such as Let's Encrypt: the flags, and what they demand of each other.

use clap::Args;
use http::Uri;
use tonic_serve::HostName;

use super::{Config, refuse};

/// Let's Encrypt.
pub const DEFAULT_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Flags as clap writes them in its own errors.
const DOMAIN: &str = "--acme-domain <NAME>";
const DIRECTORY: &str = "--acme-directory <URL>";

/// The certificate authority, and the names that it certifies.
#[derive(Args, Clone, Debug)]
pub struct AcmeConfig {
    /// A host name for which the server gets and renews a certificate by itself, such as chat.example; repeatable
    /// (in the environment: separated by commas). The port accepts https only, has to be reached at port 443 of the
    /// name, and answers it as by --host. Whoever sets this agrees to the terms of the authority
    #[arg(
        id = "acme_domain",
        long = "acme-domain",
        env = "CHINWAG_ACME_DOMAIN",
        value_name = "NAME",
        value_delimiter = ',',
        conflicts_with = "tls_certificate",
        group = "https"
    )]
    pub domains: Vec<HostName>,

    /// A mail address that the authority may write to, such as admin@chat.example; repeatable (in the
    /// environment: separated by commas)
    #[arg(
        long = "acme-contact",
        env = "CHINWAG_ACME_CONTACT",
        value_name = "ADDRESS",
        value_delimiter = ',',
        value_parser = parse_contact,
        requires = "acme_domain"
    )]
    pub contacts: Vec<String>,

    /// The authority's directory; the default is that of Let's Encrypt
    #[arg(
        long = "acme-directory",
        env = "CHINWAG_ACME_DIRECTORY",
        value_name = "URL",
        default_value = DEFAULT_DIRECTORY
    )]
    pub directory: String,
}

impl Config {
    /// Refuses a directory that is not one, and the flags where the program cannot get certificates.
    pub(super) fn check_acme(&self) -> Result<(), clap::Error> {
        let AcmeConfig { domains, directory, .. } = &self.acme;
        let Some(domain) = domains.first() else { return Ok(()) };
        if !cfg!(feature = "acme") {
            let reason = "this program was built without ACME; build it by `cargo xtask dist` or with the feature acme";
            return Err(refuse(DOMAIN, domain.to_string(), reason));
        }
        match directory.parse::<Uri>() {
            Ok(uri) if uri.scheme_str() == Some("https") && uri.authority().is_some() => Ok(()),
            _ => Err(refuse(
                DIRECTORY,
                directory,
                &format!("it has to be an https URL, for example {DEFAULT_DIRECTORY}"),
            )),
        }
    }
}

fn parse_contact(value: &str) -> Result<String, &'static str> {
    let is_address = value.split_once('@').is_some_and(|(person, host)| {
        !person.is_empty()
            && host.parse::<HostName>().is_ok()
            && value.bytes().all(|byte| byte.is_ascii_graphic())
    });
    if is_address && !value.contains(':') {
        Ok(value.to_owned())
    } else {
        Err("it has to be a mail address, for example admin@chat.example")
    }
}
