//! The suite's protocol on standard input and output: the length of a message in four bytes, big-endian, and the message.

use anyhow::{Context as _, Result, ensure};
use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Limit of a message, bytes: the suite's own.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The next message; `None` at the end.
pub(crate) async fn read<M: Message + Default>(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<M>> {
    let mut length = [0; 4];
    if from.read(&mut length[..1]).await.context("cannot read from the suite")? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length[1..]).await.context("the suite ended inside a length")?;
    let length = usize::try_from(u32::from_be_bytes(length))?;
    ensure!(length <= MAX_MESSAGE, "the suite sends a message of {length} bytes");
    let mut message = vec![0; length];
    from.read_exact(&mut message).await.context("the suite ended inside a message")?;
    M::decode(&*message).context("the suite sent an invalid message").map(Some)
}

/// Writes an encoded message.
pub(crate) async fn write(to: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> Result<()> {
    let length = u32::try_from(message.len())?.to_be_bytes();
    to.write_all(&[&length, message].concat()).await.context("cannot write to the suite")?;
    to.flush().await.context("cannot write to the suite")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::Header;

    #[tokio::test]
    async fn messages_are_read_as_written_until_the_end() {
        let header = Header { name: "x-a".to_owned(), value: vec!["1".to_owned()] };
        let mut bytes = Vec::new();
        for message in [&header, &Header::default()] {
            write(&mut bytes, &message.encode_to_vec()).await.unwrap();
        }
        let mut from = &*bytes;
        assert_eq!(read(&mut from).await.unwrap(), Some(header));
        assert_eq!(read(&mut from).await.unwrap(), Some(Header::default()));
        assert_eq!(read::<Header>(&mut from).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_end_inside_a_message_is_an_error() {
        for cut in [&[0, 0][..], &[0, 0, 0, 9, 1]] {
            let mut from = cut;
            read::<Header>(&mut from).await.unwrap_err();
        }
    }
}
