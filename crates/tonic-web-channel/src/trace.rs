//! The header by which a call joins a trace (W3C Trace Context). Nothing of it is in a program that does not name it.

use std::future::{Ready, ready};

use tonic::Status;
use tonic::metadata::MetadataValue;

use crate::layer::interceptor::Outgoing;

/// The header.
const TRACEPARENT: &str = "traceparent";

/// An interceptor that begins a trace with each call: it sends `traceparent` with a random trace, sampled. A call that has the
/// header already keeps it, and so joins the trace of its caller. All attempts of a call have the same one.
///
/// A server of another origin has to allow the header (`access-control-allow-headers`).
///
/// ```
/// use tonic_web_channel::{Channel, send_traceparent};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _entered = runtime.enter();
/// let channel = Channel::builder("http://127.0.0.1:50051").interceptor(send_traceparent).build()?;
/// # drop(channel);
/// # Ok::<(), tonic_web_channel::BuildError>(())
/// ```
pub fn send_traceparent(mut call: Outgoing) -> Ready<Result<Outgoing, Status>> {
    let metadata = call.metadata_mut();
    if !metadata.contains_key(TRACEPARENT) {
        // Zeros are no ids.
        let (trace, parent) = (fastrand::u128(1..), fastrand::u64(1..));
        let value = ["00-", &hex(trace, 32), "-", &hex(parent.into(), 16), "-01"].concat();
        // Hexadecimal digits and hyphens are a valid value.
        if let Ok(value) = MetadataValue::try_from(value) {
            metadata.insert(TRACEPARENT, value);
        }
    }
    ready(Ok(call))
}

/// `value` in hexadecimal digits. Without the formatting of numbers, which weighs more in a page.
fn hex(value: u128, digits: u32) -> String {
    let digit = |place| (value >> (4 * place)) as u32 & 0xf;
    (0..digits).rev().filter_map(|place| char::from_digit(digit(place), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_number() {
        assert_eq!(hex(0x00ab_cdef, 8), "00abcdef");
        assert_eq!(hex(u128::MAX, 32), "f".repeat(32));
        assert_eq!(hex(1, 16), "0000000000000001");
    }
}
