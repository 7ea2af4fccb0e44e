//! The property of every sequence of frames, valid or not: cuts into chunks do not change the result. Shared by the fuzz
//! target and the tests.

use super::decoder::{Decoder, End};

/// The result of decoding.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    payload: Vec<u8>,
    end: Option<End>,
    ping: Option<Vec<u8>>,
}

/// Decodes one case, and panics when it shows a fault.
///
/// The first byte is the number of the following bytes that are lengths of chunks, used in turn. The rest are the frames.
pub(crate) fn check(case: &[u8]) {
    let [lengths, rest @ ..] = case else { return };
    let (lengths, frames) = rest.split_at(usize::from(*lengths).min(rest.len()));
    let whole = outcome(frames, &[]);
    assert!(whole.payload.len() <= frames.len());
    assert_eq!(outcome(frames, lengths), whole, "cut into chunks of {lengths:?}");
    // For long cases this takes long and shows no more.
    if frames.len() <= 1_000 {
        assert_eq!(outcome(frames, &[1]), whole, "cut into bytes");
    }
}

/// Decodes `frames` in chunks of these lengths, used in turn; in one without a length.
fn outcome(frames: &[u8], lengths: &[u8]) -> Outcome {
    let (mut decoder, mut payload, mut rest) = (Decoder::default(), Vec::new(), frames);
    let mut lengths = lengths.iter().cycle().map(|length| usize::from(*length).max(1));
    while !rest.is_empty() {
        let length = lengths.next().unwrap_or(rest.len()).min(rest.len());
        let (chunk, after) = rest.split_at(length);
        let mut chunk = chunk.to_vec();
        let decoded = decoder.decode(&mut chunk);
        payload.extend_from_slice(&chunk[..decoded]);
        rest = after;
    }
    Outcome { payload, end: decoder.end(), ping: decoder.take_ping().map(|ping| ping.bytes().to_vec()) }
}
