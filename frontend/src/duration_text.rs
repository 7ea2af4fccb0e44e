//! Durations as texts.

use std::time::Duration;

/// A duration in milliseconds, or in seconds from ten on.
pub(crate) fn duration_text(duration: Duration) -> String {
    // In 64 bits: 128-bit arithmetic would add code to the page.
    let millis = duration.as_secs().saturating_mul(1_000).saturating_add(duration.subsec_millis().into());
    match millis {
        0_u64..10_000 => [&millis.to_string(), " ms"].concat(),
        _ => {
            let tenths = (millis / 100).to_string();
            let (whole, tenth) = tenths.split_at(tenths.len() - 1);
            [whole, ".", tenth, " s"].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_durations_are_in_seconds() {
        assert_eq!(duration_text(Duration::from_micros(400)), "0 ms");
        assert_eq!(duration_text(Duration::from_millis(9_999)), "9999 ms");
        assert_eq!(duration_text(Duration::from_millis(12_345)), "12.3 s");
    }
}
