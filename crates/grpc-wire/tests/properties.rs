//! Properties of bodies: cuts into chunks do not change the result.

#[path = "../fuzz/check.rs"]
mod check;

use bytes::Bytes;
use grpc_wire::message::encode;
use grpc_wire::reader::BodyEnd;
use grpc_wire::web::text;
use http::{HeaderMap, HeaderName};
use proptest::prelude::*;

use self::check::{Outcome, check, cut, outcome};

/// The cases that the fuzzer starts from, and its findings.
#[test]
fn every_case_of_the_corpus_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/web_response");
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let case = entry.unwrap().path();
        println!("{}", case.display());
        check(&std::fs::read(case).unwrap());
        cases += 1;
    }
    assert!(cases >= 30, "{cases} cases are not the corpus");
}

/// Messages with their flags, and trailers with their names.
type Parts = (Vec<(bool, Vec<u8>)>, Vec<(String, String)>);

fn parts() -> impl Strategy<Value = Parts> {
    let message = (any::<bool>(), prop::collection::vec(any::<u8>(), 0..300));
    let line = ("[a-zA-Z][a-zA-Z0-9-]{0,10}[a-z]", "[!-~]([ -~]{0,20}[!-~])?");
    let no_binary =
        line.prop_filter("binary values are split", |(name, _)| !name.to_lowercase().ends_with("-bin"));
    (prop::collection::vec(message, 0..6), prop::collection::vec(no_binary, 0..10))
}

proptest! {
    #[test]
    fn cuts_do_not_change_a_valid_body(
        (messages, lines) in parts(),
        is_text: bool,
        is_split: bool,
        space: bool,
        lengths in prop::collection::vec(any::<u8>(), 0..20),
        part in 1..50_usize,
    ) {
        let frames = |split: bool| -> Vec<u8> {
            let kept = messages.iter().filter(|(compressed, _)| !(split && *compressed));
            kept.flat_map(|(flag, bytes)| encode(u8::from(*flag), bytes)).collect()
        };
        let colon = if space { ": " } else { ":" };
        let block: String = lines.iter().map(|(name, value)| format!("{name}{colon}{value}\r\n")).collect();
        let mut body = [&frames(false)[..], &encode(0x80, block.as_bytes())].concat();
        if is_text {
            body = body.chunks(part).map(text::encode).collect::<String>().into_bytes();
        }
        let mut trailers = HeaderMap::new();
        for (name, value) in &lines {
            trailers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let compressed = messages.iter().filter(|(compressed, _)| is_split && *compressed);
        let reported = messages.iter().map(|(flag, bytes)| {
            (u8::from(*flag), bytes.len(), bytes[..bytes.len().min(4)].to_vec())
        });
        let expected = Outcome {
            messages: frames(is_split),
            compressed: compressed.map(|(_, bytes)| Bytes::copy_from_slice(bytes)).collect(),
            reported: reported.collect(),
            trailers: Some((0x80, Ok(trailers))),
            error: None,
            end: BodyEnd::Complete,
        };

        let kind = u8::from(is_text) | u8::from(is_split) << 1;
        prop_assert_eq!(outcome(kind, cut(&body, &lengths)), expected);
    }

    #[test]
    fn cuts_do_not_change_random_bytes(data in prop::collection::vec(any::<u8>(), 0..600)) {
        check(&data);
    }

    /// Random bytes are seldom frames; these have flags, lengths and cuts that are often right.
    #[test]
    fn cuts_do_not_change_an_almost_valid_body(
        kind in 0..16_u8,
        lengths in prop::collection::vec(0..9_u8, 0..6),
        frames in prop::collection::vec(
            (prop::sample::select(vec![0, 1, 0x80, 0x81, 2]), "[ -~\r\n:\t]{0,30}", 0..12_usize),
            0..5,
        ),
    ) {
        let mut data = vec![kind, u8::try_from(lengths.len()).unwrap()];
        data.extend(&lengths);
        for (flags, payload, cut) in frames {
            let bytes = encode(flags, payload.as_bytes());
            data.extend(&bytes[..bytes.len() - cut.saturating_sub(8).min(bytes.len())]);
        }
        check(&data);
    }
}
