//! Commands of `chinwag cluster`, and the name that the tests give to every cluster.

use std::process::{Output, Stdio};

use tokio::time::timeout;

use super::{PATIENCE, command};

/// The flag of the cluster's name.
pub(crate) const NAME: &str = "--cluster-name=team";

/// Runs a command for the cluster whose log is on the server at `url`.
pub(crate) async fn cluster(url: &str, words: &[&str]) -> Output {
    cluster_by(words, &[format!("--cluster={url}")]).await
}

/// Runs a command for the cluster that these flags name.
pub(crate) async fn cluster_by(words: &[&str], flags: &[String]) -> Output {
    let mut command = command();
    command.arg("cluster").args(words).arg(NAME).args(flags).stderr(Stdio::piped());
    timeout(PATIENCE, command.output()).await.expect("the command did not end in time").unwrap()
}

/// The output of a command that has to succeed.
pub(crate) fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}
