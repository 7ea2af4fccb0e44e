//! Decodes strings in the Huffman code of HPACK.
//!
//! The code is canonical: codes of one length are consecutive numbers in the order of their symbols, and the first code
//! of a length follows the last one of the length before. So the lengths are the whole table.
//!
//! Specification: RFC 7541, section 5.2 and appendix B.

/// The length of each symbol's code in bits. The end of a string, 30 bits, is not among them.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8,
    7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7,
    7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23,
    24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22,
    23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24,
    20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
    27, 27, 27, 26,
];

/// Bits of the longest code.
const LONGEST: usize = 30;

/// Symbols by the length of their code, then by value.
static SYMBOLS: [u8; 256] = sorted();

/// The number of codes of each length.
static COUNTS: [u8; LONGEST + 1] = counts();

const fn sorted() -> [u8; 256] {
    let mut symbols = [0; 256];
    let (mut filled, mut length) = (0, 0);
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol < 256 {
            if LENGTHS[symbol] as usize == length {
                symbols[filled] = symbol as u8;
                filled += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    symbols
}

const fn counts() -> [u8; LONGEST + 1] {
    let mut counts = [0; LONGEST + 1];
    let mut symbol = 0;
    while symbol < 256 {
        counts[LENGTHS[symbol] as usize] += 1;
        symbol += 1;
    }
    counts
}

/// The string that `bytes` encode. `None` when they break the code: they have its end, or more than seven bits of
/// padding, or padding that is not all ones.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    // No code is shorter than 5 bits.
    let mut decoded = Vec::with_capacity(bytes.len() * 8 / 5);
    let mut place = Place::START;
    for byte in bytes {
        for shift in (0..8).rev() {
            if let Some(symbol) = place.push(byte >> shift & 1)? {
                decoded.push(symbol);
            }
        }
    }
    place.is_padding().then_some(decoded)
}

/// The bits of a code that were read, and the codes of their length.
struct Place {
    length: usize,
    bits: u32,
    /// The first code of this length.
    first: u32,
    /// The number of codes that are shorter.
    shorter: u32,
}

impl Place {
    const START: Self = Self { length: 0, bits: 0, first: 0, shorter: 0 };

    /// Adds a bit; tells the symbol that it completes. `None` when no code starts so.
    fn push(&mut self, bit: u8) -> Option<Option<u8>> {
        let before = u32::from(COUNTS[self.length]);
        self.length += 1;
        if self.length > LONGEST {
            return None;
        }
        self.first = (self.first + before) << 1;
        self.shorter += before;
        self.bits = self.bits << 1 | u32::from(bit);
        let index = self.bits - self.first;
        if index >= u32::from(COUNTS[self.length]) {
            return Some(None);
        }
        let symbol = SYMBOLS[(self.shorter + index) as usize];
        *self = Self::START;
        Some(Some(symbol))
    }

    fn is_padding(&self) -> bool {
        self.length < 8 && self.bits == (1 << self.length) - 1
    }
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The code of `symbol` from the lengths, by the rule of canonical codes alone.
    fn code(symbol: u8) -> u32 {
        let key = |symbol: u8| (LENGTHS[usize::from(symbol)], symbol);
        let shorter = (0..=255).filter(|&other| key(other) < key(symbol));
        let length = key(symbol).0;
        let filled: u64 = shorter.map(|other| 1 << (30 - key(other).0)).sum();
        (filled >> (30 - length)) as u32
    }

    fn encode(string: &[u8]) -> Vec<u8> {
        let mut bits = Vec::new();
        for &symbol in string {
            let code = code(symbol);
            bits.extend((0..LENGTHS[usize::from(symbol)]).rev().map(|shift| code >> shift & 1 == 1));
        }
        bits.resize(bits.len().next_multiple_of(8), true);
        bits.chunks(8).map(|byte| byte.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit))).collect()
    }

    #[test]
    fn codes_are_those_of_the_specification() {
        // Rows of RFC 7541, appendix B.
        let rows = [
            (0, 0x1ff8, 13),
            (b' ', 0x14, 6),
            (b'$', 0x1ff9, 13),
            (b'0', 0x0, 5),
            (b'Z', 0xfd, 8),
            (b'\\', 0x7_fff0, 19),
            (b'a', 0x3, 5),
            (b'~', 0x1ffd, 13),
            (b'|', 0x7fc, 11),
            (127, 0xfff_fffc, 28),
            (128, 0xf_ffe6, 20),
            (199, 0x1ff_ffec, 25),
            (249, 0xfff_fffe, 28),
            (255, 0x3ff_ffee, 26),
            (22, 0x3fff_fffe, 30),
        ];
        for (symbol, bits, length) in rows {
            assert_eq!((code(symbol), LENGTHS[usize::from(symbol)]), (bits, length), "symbol {symbol}");
        }
        // With the end of a string, the code leaves no bits unused.
        let filled: u64 = LENGTHS.iter().map(|length| 1 << (30 - length)).sum();
        assert_eq!(filled + 1, 1 << 30);
    }

    #[test]
    fn strings_of_the_specification_are_decoded() {
        // RFC 7541, appendix C.4 and C.6.
        let cases: [(&[u8], &str); 3] = [
            (b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", "www.example.com"),
            (b"\xa8\xeb\x10\x64\x9c\xbf", "no-cache"),
            (
                b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
        ];
        for (bytes, string) in cases {
            assert_eq!(decode(bytes).unwrap(), string.as_bytes());
        }
    }

    #[test]
    fn wrong_padding_and_the_end_of_a_string_are_refused() {
        assert_eq!(decode(b"\x1f"), Some(b"a".to_vec()));
        for bytes in [&b"\x1e"[..], b"\x1f\xff", b"\xff", b"\xff\xff\xff\xff", b"\x18"] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_string_is_decoded(string in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decode(&encode(&string)), Some(string));
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(string) = decode(&bytes) {
                prop_assert_eq!(encode(&string), bytes);
            }
        }
    }
}
