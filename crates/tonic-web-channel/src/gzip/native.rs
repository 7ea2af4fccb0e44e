//! Gzip by `flate2`. The work is done at once, and its future is ready.

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
    Box::pin(ready(compressed(&plain)))
}

pub(super) fn decompress(compressed: Bytes, limit: usize) -> Work {
    Box::pin(ready(decompressed(&compressed, limit)))
}

fn compressed(plain: &[u8]) -> Result<Bytes, Error> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).and_then(|()| encoder.finish()).map(Bytes::from).map_err(malformed)
}

fn decompressed(compressed: &[u8], limit: usize) -> Result<Bytes, Error> {
    let mut decoder = GzDecoder::new(compressed);
    let mut plain = Vec::new();
    // One byte more than the limit shows that there is more.
    let max_read = limit.saturating_add(1);
    decoder.by_ref().take(max_read as u64).read_to_end(&mut plain).map_err(malformed)?;
    if plain.len() > limit {
        return Err(too_large(plain.len(), limit));
    }
    if !decoder.into_inner().is_empty() {
        return Err(malformed("more data follows its end"));
    }
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn data_survives_compression() {
        for plain in [&b""[..], b"a", &[7; 100_000]] {
            assert_eq!(decompressed(&compressed(plain).unwrap(), plain.len()).unwrap(), plain);
        }
    }

    #[test]
    fn decompression_stops_at_the_limit() {
        let bomb = compressed(&vec![0; 10_000_000]).unwrap();
        assert!(bomb.len() < 20_000);
        assert_eq!(decompressed(&bomb, 1_000), Err(Error::MessageTooLarge { size: 1_001, limit: 1_000 }));
    }

    #[test]
    fn invalid_data_is_an_error_wherever_it_becomes_invalid() {
        let good = compressed(b"some text to compress").unwrap();
        for end in 0..good.len() {
            assert!(decompressed(&good[..end], 100).is_err(), "cut after {end} bytes");
        }
        let mut flipped = good.to_vec();
        let checksum = flipped.len() - 8;
        flipped[checksum] ^= 1;
        assert!(decompressed(&flipped, 100).is_err());
        let longer = Bytes::from([&good[..], b"more"].concat());
        assert!(decompressed(&longer, 100).is_err());
    }
}
