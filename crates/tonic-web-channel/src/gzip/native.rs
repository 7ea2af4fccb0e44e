//! Gzip by `flate2`, at once: the futures are ready when they are first polled.

use std::future::ready;
use std::io::{Read as _, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::{Work, malformed, too_large};
use crate::error::Error;

pub(super) fn is_supported() -> bool {
    true
}

pub(super) fn compress(plain: Bytes) -> Work {
    Box::pin(ready(packed(&plain)))
}

pub(super) fn decompress(packed: Bytes, limit: usize) -> Work {
    Box::pin(ready(unpacked(&packed, limit)))
}

fn packed(plain: &[u8]) -> Result<Bytes, Error> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).and_then(|()| encoder.finish()).map(Bytes::from).map_err(malformed)
}

fn unpacked(packed: &[u8], limit: usize) -> Result<Bytes, Error> {
    let mut decoder = GzDecoder::new(packed);
    let mut plain = Vec::new();
    // One byte more than is allowed, to see that there is one.
    let most = limit.saturating_add(1);
    decoder.by_ref().take(most as u64).read_to_end(&mut plain).map_err(malformed)?;
    if plain.len() > limit {
        return Err(too_large(plain.len(), limit));
    }
    if !decoder.into_inner().is_empty() {
        return Err(malformed("more comes after its end"));
    }
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_was_packed_comes_out_again() {
        for plain in [&b""[..], b"a", &[7; 100_000]] {
            assert_eq!(unpacked(&packed(plain).unwrap(), plain.len()).unwrap(), plain);
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let bomb = packed(&vec![0; 10_000_000]).unwrap();
        assert!(bomb.len() < 20_000);
        assert_eq!(unpacked(&bomb, 1_000), Err(Error::MessageTooLarge { size: 1_001, limit: 1_000 }));
    }

    #[test]
    fn what_is_no_gzip_is_an_error_wherever_it_stops_being_one() {
        let good = packed(b"some text to pack").unwrap();
        for end in 0..good.len() {
            assert!(unpacked(&good[..end], 100).is_err(), "cut after {end} bytes");
        }
        let mut flipped = good.to_vec();
        let checksum = flipped.len() - 8;
        flipped[checksum] ^= 1;
        assert!(unpacked(&flipped, 100).is_err());
        let longer = Bytes::from([&good[..], b"more"].concat());
        assert!(unpacked(&longer, 100).is_err());
    }
}
