//! The program and the operating system behind a session, by its `user-agent`: enough for its user to recognise a session,
//! and no more.
//!
//! A table of a few names instead of a crate: `woothee` and `uaparser` bring hundreds of rules for versions and models,
//! which are not shown.

/// Maximum length of a client's name, characters.
const MAX_CLIENT_CHARS: usize = 32;

/// Names of browsers by a part of their `user-agent`. The first match counts, because later ones are in the others' too.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrom", "Chromium"),
    ("Safari/", "Safari"),
];

/// Names of operating systems, likewise.
const SYSTEMS: [(&str, &str); 8] = [
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
    ("BSD", "BSD"),
];

/// The program behind a session; a part that is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Device {
    /// Such as "Chromium".
    pub(super) client: String,
    /// The operating system, such as "Linux".
    pub(super) system: String,
}

impl Device {
    /// Reads a `user-agent`.
    pub(super) fn of(user_agent: &str) -> Self {
        let system = find(&SYSTEMS, user_agent).unwrap_or_default().to_owned();
        if user_agent.starts_with("Mozilla/") {
            return Self { client: find(&BROWSERS, user_agent).unwrap_or_default().to_owned(), system };
        }
        // Any other program: its first product.
        let client = user_agent
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            .take(MAX_CLIENT_CHARS)
            .collect();
        Self { client, system }
    }
}

fn find(names: &[(&str, &'static str)], user_agent: &str) -> Option<&'static str> {
    names.iter().find(|(part, _)| user_agent.contains(part)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_is_read_from_the_user_agent() {
        let table = [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
                ("Chromium", "Linux"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 \
                 Safari/537.36 Edg/156.0.0.0",
                ("Edge", "Windows"),
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", ("Firefox", "Linux")),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/19.0 Mobile/15E148 Safari/604.1",
                ("Safari", "iOS"),
            ),
            (
                "Mozilla/5.0 (Linux; Android 16; K) AppleWebKit/537.36 Chrome/156.0.0.0",
                ("Chromium", "Android"),
            ),
            ("Mozilla/5.0 (Plan 9)", ("", "")),
            ("tonic/0.14.9", ("tonic", "")),
            ("grpc-python/1.76 grpc-c/40 (linux; chttp2)", ("grpc-python", "")),
            ("<script>alert(1)</script>", ("", "")),
            ("", ("", "")),
        ];
        for (user_agent, (client, system)) in table {
            let device = Device::of(user_agent);
            assert_eq!((device.client.as_str(), device.system.as_str()), (client, system), "{user_agent}");
        }
        assert_eq!(Device::of(&"x".repeat(1_000)).client.len(), MAX_CLIENT_CHARS);
    }
}
