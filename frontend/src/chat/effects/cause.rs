//! The causes of failed calls, read from their statuses.

use chat_model::connection::Cause;
use tonic::{Code, Status};
use tonic_web_channel::{Error, retry::retry_after};

/// Why no gRPC server decided the call; `None` for a server's verdict.
pub(super) fn cause(status: &Status) -> Option<Cause> {
    Some(match Error::from_status(status)? {
        Error::Http { status } => Cause::Http(*status),
        Error::ContentType { .. } => Cause::WebPage,
        Error::Deadline { .. } | Error::Idle { .. } => Cause::Silent,
        Error::Offline
        | Error::Connect { .. }
        | Error::Fetch { .. }
        | Error::NotHttp2 { .. }
        | Error::ConnectionLost { .. } => Cause::Unreachable,
        // Of this side's own limits and of invalid answers; new variants may come.
        _ => Cause::Broken,
    })
}

/// Why the stream ended, also by the server's word.
pub(super) fn of_stream(status: &Status) -> Cause {
    if let Some(cause) = cause(status) {
        // A stream that had opened is called again like one that the server ended.
        let was_open = matches!(Error::from_status(status), Some(Error::ConnectionLost { .. }));
        return if was_open { Cause::Ended } else { cause };
    }
    match (status.code(), retry_after(status)) {
        (Code::ResourceExhausted, None) => Cause::TooManyStreams,
        (Code::ResourceExhausted, Some(_)) | (Code::Unavailable, Some(_)) => Cause::Busy,
        (Code::Unimplemented, _) => Cause::NoChat,
        (Code::PermissionDenied, _) => Cause::NotAllowed,
        _ => Cause::Ended,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_verdict_of_the_server_has_no_cause() {
        assert_eq!(cause(&Status::unauthenticated("no session")), None);
        assert_eq!(of_stream(&Status::resource_exhausted("16 streams")), Cause::TooManyStreams);
        let mut busy = Status::resource_exhausted("too many calls");
        busy.metadata_mut().insert("grpc-retry-pushback-ms", 100.into());
        assert_eq!(of_stream(&busy), Cause::Busy);
        assert_eq!(of_stream(&Status::unimplemented("no such service")), Cause::NoChat);
        assert_eq!(of_stream(&Status::permission_denied("a foreign page")), Cause::NotAllowed);
        assert_eq!(of_stream(&Status::unavailable("the server ended the stream")), Cause::Ended);
    }

    #[test]
    fn answers_of_others_are_told_apart() {
        let timeout = Duration::from_secs(5);
        for (error, expected) in [
            (Error::Http { status: 401 }, Cause::Http(401)),
            (Error::ContentType { found: "text/html".to_owned() }, Cause::WebPage),
            (Error::Deadline { timeout }, Cause::Silent),
            (Error::Idle { timeout }, Cause::Silent),
            (Error::Offline, Cause::Unreachable),
            (Error::Protocol { reason: String::new() }, Cause::Broken),
        ] {
            let status = Status::from(error);
            assert_eq!((cause(&status), of_stream(&status)), (Some(expected), expected));
        }
        let lost = Status::from(Error::ConnectionLost { reason: String::new() });
        assert_eq!((cause(&lost), of_stream(&lost)), (Some(Cause::Unreachable), Cause::Ended));
    }
}
