//! The limits and names that the contracts state in words, for servers and clients. The `.proto` files document each of
//! them; a test compares the numbers.

/// Package `chat.v1`.
pub mod chat {
    /// Id and name of the room that exists from the first start.
    pub const GENERAL_ROOM: &str = "general";

    /// Maximum length of a user's name, characters (Unicode scalar values). Longer: INVALID_ARGUMENT.
    pub const MAX_USER_NAME_CHARS: usize = 40;

    /// Maximum length of a room's name, characters (Unicode scalar values). Longer: INVALID_ARGUMENT.
    pub const MAX_ROOM_NAME_CHARS: usize = 60;

    /// Maximum length of a message, characters (Unicode scalar values). Longer: INVALID_ARGUMENT.
    pub const MAX_MESSAGE_CHARS: usize = 4_000;

    /// Length of an operation id, bytes. Any other: INVALID_ARGUMENT.
    pub const OPERATION_ID_BYTES: usize = 16;

    /// Minimum length of a `JoinRequest.retry_secret`, bytes. Shorter: INVALID_ARGUMENT.
    pub const MIN_RETRY_SECRET_BYTES: usize = 16;

    /// Maximum length of a `JoinRequest.retry_secret`, bytes. Longer: INVALID_ARGUMENT.
    pub const MAX_RETRY_SECRET_BYTES: usize = 64;

    /// Maximum number of sessions of one user. A further one ends the one that was not used for the longest time.
    pub const MAX_SESSIONS_PER_USER: usize = 32;

    /// Domain of the `google.rpc.ErrorInfo` of a refused name.
    pub const ERROR_DOMAIN: &str = "chat.v1";

    /// Reason of the `google.rpc.ErrorInfo`: the name has no visible character.
    pub const NAME_EMPTY: &str = "NAME_EMPTY";

    /// Reason of the `google.rpc.ErrorInfo`: the name is longer than the limit.
    pub const NAME_TOO_LONG: &str = "NAME_TOO_LONG";

    /// Reason of the `google.rpc.ErrorInfo`: the name has an invisible character or a line break.
    pub const NAME_INVISIBLE: &str = "NAME_INVISIBLE";

    /// Reason of the `google.rpc.ErrorInfo`: a word of the name mixes scripts.
    pub const NAME_MIXES_SCRIPTS: &str = "NAME_MIXES_SCRIPTS";

    /// Maximum number of rooms, `general` included. More: RESOURCE_EXHAUSTED.
    pub const MAX_ROOMS: usize = 1_000;

    /// Maximum number of cursors in a `SubscribeRequest`. More: INVALID_ARGUMENT.
    pub const MAX_CURSORS: usize = 1_000;

    /// Maximum number of streams that one user may have open. More: RESOURCE_EXHAUSTED.
    pub const MAX_STREAMS_PER_USER: usize = 16;

    /// Maximum number of events in a `ListEventsResponse`. More requested: INVALID_ARGUMENT.
    pub const MAX_PAGE_EVENTS: u32 = 500;

    /// Number of events in a `ListEventsResponse` when the request has no limit.
    pub const DEFAULT_PAGE_EVENTS: u32 = 100;

    /// A `ListEventsResponse` is smaller than this, bytes: it has fewer events if needed.
    pub const MAX_PAGE_BYTES: usize = 1024 * 1024;

    /// Maximum number of pages that one user may wait for at the same time. More: RESOURCE_EXHAUSTED.
    pub const MAX_WAITING_PAGES_PER_USER: usize = 32;
}

/// Package `helloworld`.
pub mod greeter {
    /// Maximum length of a name, characters (Unicode scalar values). Longer: INVALID_ARGUMENT.
    pub const MAX_NAME_CHARS: usize = 1_000;

    /// Maximum number of names in one `SayHelloClientStream`. More: RESOURCE_EXHAUSTED.
    pub const MAX_NAMES: usize = 1_000;

    /// Maximum length of all names in one `SayHelloClientStream`, bytes: the server holds them until the last one. More:
    /// RESOURCE_EXHAUSTED.
    pub const MAX_NAMES_BYTES: usize = 16 * 1024;

    /// Request metadata: the number of greetings of `SayHelloStreamReply`. Without it: unlimited.
    pub const COUNT_KEY: &str = "x-greeter-count";

    /// Maximum value of [`COUNT_KEY`]. More: INVALID_ARGUMENT.
    pub const MAX_COUNT: u32 = 100_000;

    /// Request metadata: milliseconds between two greetings of `SayHelloStreamReply`.
    pub const INTERVAL_KEY: &str = "x-greeter-interval-ms";

    /// Maximum value of [`INTERVAL_KEY`]. More: INVALID_ARGUMENT.
    pub const MAX_INTERVAL_MS: u32 = 60_000;

    /// The interval without [`INTERVAL_KEY`].
    pub const DEFAULT_INTERVAL_MS: u64 = 500;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A contract's comments as one line of text.
    fn comments(contract: &str) -> String {
        let lines = contract.lines().filter_map(|line| line.trim().strip_prefix("//"));
        lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
    }

    /// 12345 as "12,345".
    fn grouped(number: usize) -> String {
        match number {
            0..1_000 => number.to_string(),
            _ => format!("{},{:03}", grouped(number / 1_000), number % 1_000),
        }
    }

    fn assert_documented(contract: &str, sentences: &[String]) {
        let comments = comments(contract);
        for sentence in sentences {
            assert!(comments.contains(sentence), "the contract does not say {sentence:?}");
        }
    }

    #[test]
    fn chat_contract_states_the_same_limits() {
        use chat::*;
        let documented = [
            format!("1 to {MAX_USER_NAME_CHARS} characters (Unicode scalar values) after"),
            format!("1 to {MAX_ROOM_NAME_CHARS} characters after"),
            format!("1 to {} characters (Unicode scalar values), not only", grouped(MAX_MESSAGE_CHARS)),
            format!("{OPERATION_ID_BYTES} bytes, a UUID"),
            format!("{MIN_RETRY_SECRET_BYTES} to {MAX_RETRY_SECRET_BYTES} bytes from a cryptographic"),
            format!("the user has {MAX_SESSIONS_PER_USER} sessions already"),
            format!("the domain \"{ERROR_DOMAIN}\" and the reason"),
            format!("{NAME_EMPTY}, {NAME_TOO_LONG}, {NAME_INVISIBLE} or {NAME_MIXES_SCRIPTS}"),
            format!("as many rooms as it allows ({})", grouped(MAX_ROOMS)),
            format!("more than {} cursors", grouped(MAX_CURSORS)),
            format!("as many streams open as allowed ({MAX_STREAMS_PER_USER})"),
            format!("1 to {MAX_PAGE_EVENTS}; 0 means {DEFAULT_PAGE_EVENTS}"),
            format!("stay below {} MiB", MAX_PAGE_BYTES >> 20),
            format!("as many pages as allowed ({MAX_WAITING_PAGES_PER_USER})"),
            format!("The first room's is \"{GENERAL_ROOM}\"."),
        ];
        assert_documented(include_str!("../chat/v1/chat.proto"), &documented);
    }

    #[test]
    fn greeter_contract_states_the_same_limits() {
        use greeter::*;
        let documented = [
            format!("up to {} characters (Unicode scalar values)", grouped(MAX_NAME_CHARS)),
            format!("names up to {}", grouped(MAX_NAMES)),
            format!("more than {} KiB together", MAX_NAMES_BYTES >> 10),
            format!(
                "{COUNT_KEY} how many greetings SayHelloStreamReply sends, 1 to {}.",
                grouped(MAX_COUNT as usize)
            ),
            format!(
                "{INTERVAL_KEY} milliseconds between two greetings, 0 to {}.",
                grouped(MAX_INTERVAL_MS as usize)
            ),
            format!("Absent: {DEFAULT_INTERVAL_MS}."),
        ];
        assert_documented(include_str!("../helloworld.proto"), &documented);
    }
}
