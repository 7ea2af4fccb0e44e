//! Content types of gRPC and gRPC-Web.
//!
//! Specification: "Content-Type" of `PROTOCOL-HTTP2.md` and of `PROTOCOL-WEB.md`. Media types are compared without case and
//! parameters (RFC 9110, 8.3.1).

/// A format in which calls are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFormat {
    /// gRPC over HTTP/2: messages in the body, the status in HTTP trailers.
    Grpc,
    /// gRPC-Web: messages and trailers in the body.
    GrpcWeb,
    /// gRPC-Web in base64, for intermediaries that do not pass binary bodies.
    GrpcWebText,
}

impl WireFormat {
    /// The content type with the codec named, such as `application/grpc-web+proto`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc+proto",
            Self::GrpcWeb => "application/grpc-web+proto",
            Self::GrpcWebText => "application/grpc-web-text+proto",
        }
    }
}

/// The meaning of a content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// Calls whose messages are Protocol Buffers.
    Protobuf(WireFormat),
    /// It begins with `application/grpc`, and its codec is not Protocol Buffers or it is no format of gRPC's.
    OtherGrpc,
    /// Anything else.
    Other,
}

impl ContentType {
    /// Reads the value of `content-type`, or one element of `accept`.
    pub fn parse(value: &[u8]) -> Self {
        const GRPC: &[u8] = b"application/grpc";
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let Some((start, suffix)) = media_type.split_at_checked(GRPC.len()) else { return Self::Other };
        if !start.eq_ignore_ascii_case(GRPC) {
            return Self::Other;
        }
        let formats = [
            ("", WireFormat::Grpc),
            ("+proto", WireFormat::Grpc),
            ("-web", WireFormat::GrpcWeb),
            ("-web+proto", WireFormat::GrpcWeb),
            ("-web-text", WireFormat::GrpcWebText),
            ("-web-text+proto", WireFormat::GrpcWebText),
            // Written by an old server of improbable's.
            ("-web-text-base64", WireFormat::GrpcWebText),
        ];
        let format = formats.iter().find(|(known, _)| suffix.eq_ignore_ascii_case(known.as_bytes()));
        format.map_or(Self::OtherGrpc, |(_, format)| Self::Protobuf(*format))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_read_without_case_and_parameters() {
        let cases = [
            ("application/grpc", WireFormat::Grpc),
            ("application/grpc+proto", WireFormat::Grpc),
            ("application/grpc-web", WireFormat::GrpcWeb),
            ("application/grpc-web+proto; charset=utf-8", WireFormat::GrpcWeb),
            ("Application/gRPC-Web+Proto;x=y", WireFormat::GrpcWeb),
            ("application/grpc-web-text", WireFormat::GrpcWebText),
            ("application/grpc-web-text+proto ;x", WireFormat::GrpcWebText),
            ("application/grpc-web-text-base64", WireFormat::GrpcWebText),
        ];
        for (value, format) in cases {
            let parsed = ContentType::parse(value.as_bytes());
            assert_eq!(parsed, ContentType::Protobuf(format), "{value}");
        }
    }

    #[test]
    fn other_codecs_and_other_types_are_told_apart() {
        for value in ["application/grpc+json", "application/grpcfoo", "application/grpc-web+json"] {
            assert_eq!(ContentType::parse(value.as_bytes()), ContentType::OtherGrpc, "{value}");
        }
        for value in ["application/json", "text/html", "app", "", ";application/grpc"] {
            assert_eq!(ContentType::parse(value.as_bytes()), ContentType::Other, "{value}");
        }
    }

    #[test]
    fn formats_are_read_as_they_are_written() {
        for format in [WireFormat::Grpc, WireFormat::GrpcWeb, WireFormat::GrpcWebText] {
            let parsed = ContentType::parse(format.content_type().as_bytes());
            assert_eq!(parsed, ContentType::Protobuf(format));
        }
    }
}
