//! Texts for commands that a person pastes into a shell.

use std::time::Duration;

/// `host:port`, since `grpcurl` needs a port.
pub(crate) fn host(origin: &str) -> String {
    let (scheme, host) = origin.split_once("://").unwrap_or(("https", origin));
    // A colon after the closing bracket of an IPv6 address, or the only colon.
    let has_port = host.rsplit_once(']').map_or(host, |(_, rest)| rest).contains(':');
    match scheme {
        _ if has_port => host.to_owned(),
        "http" => [host, ":80"].concat(),
        _ => [host, ":443"].concat(),
    }
}

/// A text as one argument for a POSIX shell.
pub(crate) fn quoted(value: &str) -> String {
    ["'", &value.replace('\'', r"'\''"), "'"].concat()
}

/// A duration in seconds, with as many digits as it needs.
pub(crate) fn decimal_seconds(duration: Duration) -> String {
    let (whole, fraction) = (duration.as_secs().to_string(), duration.subsec_nanos().to_string());
    let fraction = ["0".repeat(9 - fraction.len()), fraction].concat();
    match fraction.trim_end_matches('0') {
        "" => whole,
        fraction => [&whole, ".", fraction].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_port() {
        assert_eq!(host("http://localhost"), "localhost:80");
        assert_eq!(host("https://[::1]"), "[::1]:443");
        assert_eq!(host("https://[::1]:8443"), "[::1]:8443");
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_a_quoted_text_as_it_was() {
        for text in
            ["", "it's", "''", "$HOME `id` \\ \"x\" !", "a\nb\tc", "*?[a]~#;&|<>(){}", "世界 🌍", "-d", "\\'"]
        {
            let script = ["printf %s ", &quoted(text)].concat();
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }
}
