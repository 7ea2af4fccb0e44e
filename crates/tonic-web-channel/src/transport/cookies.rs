//! The cookies of a browser's calls.

/// Whether calls carry the cookies of the server's origin and store the cookies that it sets: the credentials mode of
/// `fetch`. No effect natively.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cookies {
    /// Only if the server has the page's own origin.
    #[default]
    SameOrigin,
    /// Always. A server of another origin has to allow it (`access-control-allow-credentials`), and has to list the
    /// headers that it allows and exposes: `*` has no special meaning then.
    Include,
    /// Never.
    Omit,
}
