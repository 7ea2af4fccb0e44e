//! The cluster that this server belongs to: several servers of one chat, whose log is on servers of NATS JetStream, or of PostgreSQL.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use http::Uri;

use super::{Config, refuse};
#[cfg(feature = "cluster")]
use crate::chat::log::jetstream;
#[cfg(feature = "postgres")]
use crate::chat::log::postgres;
#[cfg(feature = "cluster")]
use crate::chat::log::servers::Servers;

/// Flags as clap writes them in its own errors.
const CLUSTER: &str = "--cluster <URL>";
const CREDENTIALS: &str = "--cluster-credentials <FILE>";
const AUTHORITY: &str = "--cluster-tls-ca <FILE>";
const MONITORING: &str = "--cluster-monitoring <URL>";

/// The schemes of a server of PostgreSQL, with their separator.
const POSTGRES: [&str; 2] = ["postgres://", "postgresql://"];

/// Longest name of a cluster.
const MAX_NAME: usize = 32;

/// The servers that have a cluster's log.
#[derive(Args, Clone, Debug, Default)]
pub struct ClusterConfig {
    /// A server of NATS JetStream that has the log of this chat, such as nats://10.0.0.1:4222; repeatable (in the
    /// environment: separated by commas). Every server of the chat names the same ones. tls:// demands TLS; without it, the
    /// server of NATS decides. In a program with the feature postgres also servers of PostgreSQL, one of which takes the
    /// entries, such as postgres://chat:password@10.0.0.1/chat; they are reached by TLS with --cluster-tls-ca, and without
    /// TLS otherwise
    #[arg(
        id = "cluster",
        long = "cluster",
        env = "CHINWAG_CLUSTER",
        value_name = "URL",
        value_delimiter = ',',
        value_parser = parse_server,
        requires = "cluster_name"
    )]
    pub servers: Vec<String>,

    /// The name of the cluster, as `chinwag cluster init` has made it
    #[arg(
        id = "cluster_name",
        long = "cluster-name",
        env = "CHINWAG_CLUSTER_NAME",
        value_name = "NAME",
        value_parser = parse_name,
        requires = "cluster"
    )]
    pub name: Option<String>,

    /// A file with the credentials of an account of NATS, as nsc writes it; a user and a password can be in the URL
    #[arg(
        long = "cluster-credentials",
        env = "CHINWAG_CLUSTER_CREDENTIALS",
        value_name = "FILE",
        requires = "cluster"
    )]
    pub credentials: Option<PathBuf>,

    /// PEM file with the authority that signed the certificates of these servers; the connection then has to use TLS
    #[arg(
        id = "cluster_tls_ca",
        long = "cluster-tls-ca",
        env = "CHINWAG_CLUSTER_TLS_CA",
        value_name = "FILE",
        requires = "cluster"
    )]
    pub authority: Option<PathBuf>,

    /// The monitoring address of a server of NATS, such as http://10.0.0.1:8222; repeatable (in the environment: separated by
    /// commas). It says whether the server syncs every write to its disk
    #[arg(
        long = "cluster-monitoring",
        env = "CHINWAG_CLUSTER_MONITORING",
        value_name = "URL",
        value_delimiter = ',',
        value_parser = parse_monitoring,
        requires = "cluster"
    )]
    pub monitoring: Vec<Uri>,
}

impl ClusterConfig {
    /// Refuses files that cannot be read, and the flags where the program cannot use them.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        let Some(server) = self.servers.first() else { return Ok(()) };
        if !cfg!(feature = "cluster") {
            let reason = "this program was built without clusters; build it by `cargo xtask dist` or with the feature cluster";
            return Err(refuse(CLUSTER, without_password(server), reason));
        }
        self.check_postgres(server)?;
        check_file(CREDENTIALS, self.credentials.as_deref())?;
        check_file(AUTHORITY, self.authority.as_deref())
    }

    /// Refuses a server of PostgreSQL where the program cannot use it, beside servers of NATS, and with their flags.
    fn check_postgres(&self, server: &str) -> Result<(), clap::Error> {
        let is_postgres = is_postgres(server);
        if let Some(other) = self.servers.iter().find(|other| self::is_postgres(other) != is_postgres) {
            let reason = "all servers have to be of one kind: NATS or PostgreSQL";
            return Err(refuse(CLUSTER, without_password(other), reason));
        }
        if !is_postgres {
            return Ok(());
        }
        if !cfg!(feature = "postgres") {
            let reason = "this program was built without PostgreSQL; build it with the feature postgres";
            return Err(refuse(CLUSTER, without_password(server), reason));
        }
        if self.authority.is_none() && self.servers.iter().any(|server| demands_tls(server)) {
            let reason = "it demands TLS: name the authority of its certificate by --cluster-tls-ca";
            return Err(refuse(CLUSTER, without_password(server), reason));
        }
        let reason = "it is for servers of NATS only";
        if let Some(file) = &self.credentials {
            return Err(refuse(CREDENTIALS, file, reason));
        }
        self.monitoring.first().map_or(Ok(()), |url| Err(refuse(MONITORING, url.to_string(), reason)))
    }

    /// The servers, if there are any.
    #[cfg(feature = "cluster")]
    pub(crate) fn to_servers(&self) -> Option<Servers> {
        let (name, false) = (self.name.clone()?, self.servers.is_empty()) else { return None };
        let (addresses, authority) = (self.servers.clone(), self.authority.clone());
        #[cfg(feature = "postgres")]
        if is_postgres(&addresses[0]) {
            return Some(Servers::Postgres(postgres::Servers { addresses, name, authority }));
        }
        let credentials = self.credentials.clone();
        Some(Servers::Nats(jetstream::Servers { addresses, name, credentials, authority }))
    }
}

impl Config {
    /// Refuses what [`ClusterConfig::check`] refuses.
    pub(super) fn check_cluster(&self) -> Result<(), clap::Error> {
        self.cluster.check()
    }
}

fn check_file(flag: &str, file: Option<&Path>) -> Result<(), clap::Error> {
    let Some(file) = file else { return Ok(()) };
    let readable = File::open(file).and_then(|open| open.metadata());
    match readable {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(refuse(flag, file, "it has to be a file")),
        Err(error) => Err(refuse(flag, file, &format!("it has to be a file that can be read ({error})"))),
    }
}

fn without_password(server: &str) -> String {
    match (server.split_once("://"), server.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => server.to_owned(),
    }
}

fn is_postgres(server: &str) -> bool {
    POSTGRES.iter().any(|scheme| server.starts_with(scheme))
}

/// Whether an address of PostgreSQL asks for more than a connection in the clear.
fn demands_tls(server: &str) -> bool {
    let modes = server.split_once('?').map_or("", |(_, query)| query).split('&');
    modes
        .filter_map(|word| word.strip_prefix("sslmode="))
        .any(|mode| !matches!(mode, "disable" | "allow" | "prefer"))
}

fn parse_server(value: &str) -> Result<String, &'static str> {
    match value.parse::<Uri>() {
        Ok(uri) if matches!(uri.scheme_str(), Some("nats" | "tls")) && is_server(&uri) => {
            Ok(value.to_owned())
        }
        Ok(uri) if is_postgres(value) && uri.host().is_some_and(|host| !host.is_empty()) => {
            Ok(value.to_owned())
        }
        _ => Err(
            "it has to be the address of a server, for example nats://10.0.0.1:4222 or postgres://10.0.0.1/chat",
        ),
    }
}

fn parse_monitoring(value: &str) -> Result<Uri, &'static str> {
    match value.parse::<Uri>() {
        Ok(uri) if uri.scheme_str() == Some("http") && is_server(&uri) => Ok(uri),
        _ => Err("it has to be the http address of a server, for example http://10.0.0.1:8222"),
    }
}

/// Whether it names a host and nothing below it.
fn is_server(uri: &Uri) -> bool {
    uri.host().is_some_and(|host| !host.is_empty()) && uri.path() == "/" && uri.query().is_none()
}

fn parse_name(value: &str) -> Result<String, String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if (1..=MAX_NAME).contains(&value.len()) && value.chars().all(is_allowed) {
        Ok(value.to_owned())
    } else {
        Err(format!(
            "it has to be 1 to {MAX_NAME} letters, digits, hyphens and underscores of ASCII, for example team"
        ))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn parse(flags: &[&str]) -> Result<Config, String> {
        let line = ["chinwag"].iter().chain(flags);
        Config::try_parse_from(line).map_err(|error| error.to_string())
    }

    #[test]
    fn cluster_is_its_servers_and_its_name() {
        let config = parse(&["--cluster=nats://a:4222,tls://me:secret@b", "--cluster-name=team"]).unwrap();
        assert_eq!(config.cluster.servers, ["nats://a:4222", "tls://me:secret@b"]);
        assert_eq!(config.cluster.name.as_deref(), Some("team"));
        assert!(parse(&[]).unwrap().cluster.servers.is_empty());
    }

    #[test]
    fn refusal_names_the_flag() {
        for (flags, named) in [
            (&["--cluster=nats://a"][..], "--cluster-name"),
            (&["--cluster-name=team"], "--cluster <URL>"),
            (&["--cluster=http://a", "--cluster-name=team"], "--cluster <URL>"),
            (&["--cluster=nats://a/b", "--cluster-name=team"], "--cluster <URL>"),
            (&["--cluster=a:4222", "--cluster-name=team"], "--cluster <URL>"),
            (&["--cluster=nats://a", "--cluster-name=the team"], "--cluster-name <NAME>"),
            (&["--cluster=nats://a", "--cluster-name="], "--cluster-name <NAME>"),
            (&["--cluster-credentials=file"], "--cluster <URL>"),
            (&["--cluster=postgres:///chat", "--cluster-name=team"], "--cluster <URL>"),
            (
                &["--cluster=nats://a", "--cluster-name=team", "--cluster-monitoring=https://a:8222"],
                "--cluster-monitoring <URL>",
            ),
        ] {
            let refusal = parse(flags).unwrap_err();
            assert!(refusal.contains(named), "{flags:?}: {refusal}");
        }
    }

    #[test]
    fn file_that_is_not_there_is_refused() {
        for (flag, named) in [("--cluster-credentials", CREDENTIALS), ("--cluster-tls-ca", AUTHORITY)] {
            let file = format!("{flag}=no such file");
            let config = parse(&["--cluster=nats://a", "--cluster-name=team", &file]).unwrap();
            let refusal = config.check_cluster().unwrap_err().to_string();
            // A program that cannot use a cluster says that first.
            let named = if cfg!(feature = "cluster") { named } else { CLUSTER };
            assert!(refusal.contains(named), "{refusal}");
        }
    }

    #[test]
    fn server_of_postgresql_has_flags_of_its_own() {
        let postgres = "--cluster=postgres://chat:secret@a/chat";
        let demanding = format!("{postgres}?sslmode=require");
        for (flags, named) in [
            (vec![postgres, "--cluster=nats://a"], "of one kind"),
            (vec![postgres, "--cluster-credentials=file"], CREDENTIALS),
            (vec![postgres, "--cluster-monitoring=http://a"], MONITORING),
            (vec![&*demanding], "--cluster-tls-ca"),
        ] {
            let config = parse(&[&flags[..], &["--cluster-name=team"]].concat()).unwrap();
            let refusal = config.check_cluster().unwrap_err().to_string();
            // A program that cannot use it says that first.
            let has_kinds = cfg!(feature = "cluster") && named == "of one kind";
            let named = if cfg!(feature = "postgres") || has_kinds { named } else { CLUSTER };
            assert!(refusal.contains(named) && !refusal.contains("secret"), "{refusal}");
        }
        for server in [postgres, "--cluster=postgresql://a/chat"] {
            let config = parse(&[server, "--cluster-name=team"]).unwrap();
            assert_eq!(config.check_cluster().is_ok(), cfg!(feature = "postgres"), "{server}");
        }
    }

    #[test]
    fn password_is_not_in_a_refusal() {
        assert_eq!(without_password("nats://me:secret@host:1"), "nats://host:1");
        assert_eq!(without_password("nats://host:1"), "nats://host:1");
    }
}
