//! The PROXY protocol: the client that a proxy names before the first byte of TLS or HTTP.

use std::io;
use std::net::IpAddr;

use bytes::BytesMut;
use proxy_header::{Error, ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The first bytes of versions 1 and 2. Neither TLS nor HTTP begins with them.
const SIGNATURES: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

/// Longest header, in bytes; a longer one closes the connection. Addresses take 52, the rest are a proxy's additional fields,
/// which may have names and certificates.
const MAX_HEADER: usize = 4 * 1024;

/// Bytes per read.
const READ_LEN: usize = 512;

/// Reads the PROXY header at the start of `stream`, if there is one. Returns the client that it names, if any, and the bytes
/// behind it that were read. Fails on a malformed or incomplete header.
pub(crate) async fn read_proxy_header(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<(Option<IpAddr>, BytesMut)> {
    let mut read = BytesMut::new();
    loop {
        match parse(&read) {
            Parsed::Incomplete => {}
            Parsed::Absent => return Ok((None, read)),
            Parsed::Header { client, len } => return Ok((client, read.split_off(len))),
            Parsed::Malformed => return Err(io::ErrorKind::InvalidData.into()),
        }
        read.reserve(READ_LEN);
        if stream.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    /// More bytes are needed.
    Incomplete,
    /// The stream does not begin with a PROXY header.
    Absent,
    Header {
        client: Option<IpAddr>,
        len: usize,
    },
    Malformed,
}

fn parse(read: &[u8]) -> Parsed {
    if !SIGNATURES.iter().any(|signature| read.starts_with(signature)) {
        let is_prefix = SIGNATURES.iter().any(|signature| signature.starts_with(read));
        return if is_prefix { Parsed::Incomplete } else { Parsed::Absent };
    }
    match ProxyHeader::parse(read, ParseConfig::default()) {
        Ok((_, len)) if len > MAX_HEADER => Parsed::Malformed,
        Ok((header, len)) => {
            let client = header.proxied_address().map(|address| address.source.ip().to_canonical());
            Parsed::Header { client, len }
        }
        Err(Error::BufferTooShort) if read.len() < MAX_HEADER => Parsed::Incomplete,
        Err(_) => Parsed::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let len = u16::try_from(addresses.len()).unwrap();
        [V2, &[0x20 | command, family], &len.to_be_bytes(), addresses].concat()
    }

    fn read(bytes: &[u8]) -> io::Result<(Option<IpAddr>, BytesMut)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read_proxy_header(&mut &*bytes))
    }

    fn client(header: &[u8]) -> Option<String> {
        let (client, rest) = read(&[header, b"GET / HTTP/1.1\r\n"].concat()).unwrap();
        assert_eq!(&rest[..], b"GET / HTTP/1.1\r\n");
        client.map(|client| client.to_string())
    }

    #[test]
    fn both_versions_name_the_client() {
        let v4 = [203, 0, 113, 9, 10, 0, 0, 1, 0xC3, 0x50, 0, 80];
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        v6[15] = 7;

        assert_eq!(client(b"PROXY TCP4 203.0.113.9 10.0.0.1 50000 80\r\n").unwrap(), "203.0.113.9");
        assert_eq!(client(b"PROXY TCP6 2001:db8::7 ::1 50000 80\r\n").unwrap(), "2001:db8::7");
        assert_eq!(client(&v2(1, 0x11, &v4)).unwrap(), "203.0.113.9");
        assert_eq!(client(&v2(1, 0x21, &v6)).unwrap(), "2001:db8::7");
        let fields = [&v4[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        assert_eq!(client(&v2(1, 0x11, &fields)).unwrap(), "203.0.113.9");
    }

    #[test]
    fn without_a_named_client_the_peer_is_kept() {
        assert_eq!(client(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(client(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None);
        assert_eq!(client(&v2(0, 0, &[])), None);
        assert_eq!(client(&v2(1, 0x31, &[0; 216])), None);
        assert_eq!(client(b""), None);
        // Their first bytes are like those of a header.
        for start in [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b"PROPFIND / HTTP/1.1\r\n", b"\x16\x03\x01"] {
            assert_eq!(read(start).unwrap(), (None, start.into()));
        }
    }

    #[test]
    fn a_malformed_header_is_an_error() {
        let long = [&b"PROXY TCP4 "[..], &[b'1'; 200]].concat();
        for header in [
            &b"PROXY TCP4 203.0.113.9 10.0.0.1 50000\r\n"[..],
            b"PROXY TCP5 203.0.113.9 10.0.0.1 50000 80\r\n",
            b"PROXY TCP4 ::1 ::1 50000 80\r\n",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 50000 99999\r\n",
            &long,
            &v2(2, 0x11, &[0; 12]),
            &v2(1, 0x11, &[0; 11]),
            &v2(1, 0x51, &[0; 12]),
            &v2(1, 0x11, &[0; MAX_HEADER]),
        ] {
            let whole = [header, b"GET / HTTP/1.1\r\n\r\n"].concat();
            assert_eq!(read(&whole).unwrap_err().kind(), io::ErrorKind::InvalidData, "{header:?}");
        }
        assert_eq!(read(b"PROXY TCP4 203").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(
            signature in 0..3_usize,
            tail in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let start = SIGNATURES.get(signature).copied().unwrap_or_default();
            let whole = [start, &tail].concat();
            if let Ok((_, rest)) = read(&whole) {
                prop_assert!(whole.ends_with(&rest));
            }
        }

        #[test]
        fn a_header_may_come_in_two_pieces(address in any::<[u8; 4]>(), port: u16, cut in 0..100_usize) {
            let address = Ipv4Addr::from(address);
            let mut addresses = [0; 12];
            addresses[..4].copy_from_slice(&address.octets());
            addresses[8..10].copy_from_slice(&port.to_be_bytes());
            let text = format!("PROXY TCP4 {address} 10.0.0.1 {port} 80\r\n");
            for header in [text.as_bytes(), &v2(1, 0x11, &addresses)] {
                let cut = cut % header.len();
                prop_assert_eq!(parse(&header[..cut]), Parsed::Incomplete);
                let whole = Parsed::Header { client: Some(address.into()), len: header.len() };
                prop_assert_eq!(parse(header), whole);
            }
        }
    }
}
