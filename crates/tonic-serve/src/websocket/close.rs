//! Status codes of a Close frame (RFC 6455, section 7.4).

/// The reason for the end of a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CloseCode(pub(crate) u16);

impl CloseCode {
    /// The stream has ended.
    pub(crate) const NORMAL: Self = Self(1000);
    /// The server shuts down, or closes an idle connection.
    pub(crate) const GOING_AWAY: Self = Self(1001);
    /// The peer violated RFC 6455.
    pub(crate) const PROTOCOL: Self = Self(1002);
    /// The peer sent text.
    pub(crate) const UNSUPPORTED: Self = Self(1003);
    /// The reason in a Close frame is not UTF-8.
    pub(crate) const INVALID_TEXT: Self = Self(1007);
    /// A limit refuses the connection.
    pub(crate) const POLICY: Self = Self(1008);

    /// Whether an endpoint may send this code. The others are reserved, or describe a connection without a Close frame.
    pub(crate) fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}
