//! A distance between client and server: passes bytes on later.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Delay in each direction.
const DELAY: Duration = Duration::from_millis(25);

/// Bytes of one read.
const PIECE: usize = 64 * 1024;

/// Reads that are on the way in one direction. With more, nothing is read, as on a line that is full.
const ON_THE_WAY: usize = 512;

/// Listens on a free port, and passes connections on to `target` until this program ends.
pub(crate) async fn start(target: SocketAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // Either side may end at any time, which ends the other.
            tokio::spawn(async move { pass(client, target).await.ok() });
        }
    });
    Ok(addr)
}

async fn pass(client: TcpStream, target: SocketAddr) -> Result<()> {
    let server = TcpStream::connect(target).await?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::try_join!(delay(from_client, to_server), delay(from_server, to_client))?;
    Ok(())
}

/// Passes the bytes of one direction on, each [`DELAY`] after it came.
async fn delay(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Result<()> {
    let (send, mut receive) = mpsc::channel::<(Instant, Bytes)>(ON_THE_WAY);
    let reading = async move {
        loop {
            let mut piece = BytesMut::with_capacity(PIECE);
            if from.read_buf(&mut piece).await? == 0
                || send.send((Instant::now() + DELAY, piece.freeze())).await.is_err()
            {
                return anyhow::Ok(());
            }
        }
    };
    let writing = async move {
        while let Some((due, piece)) = receive.recv().await {
            sleep_until(due).await;
            to.write_all(&piece).await?;
        }
        to.shutdown().await?;
        anyhow::Ok(())
    };
    tokio::try_join!(reading, writing)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_whole_in_order_and_late() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay = start(listener.local_addr().unwrap()).await.unwrap();
        let echo = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut reading, mut writing) = stream.split();
            tokio::io::copy(&mut reading, &mut writing).await.unwrap();
        });
        let start = Instant::now();
        let mut client = TcpStream::connect(relay).await.unwrap();
        let sent: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
        let (mut reading, mut writing) = client.split();
        let mut received = Vec::new();
        let sending = async {
            writing.write_all(&sent).await.unwrap();
            writing.shutdown().await.unwrap();
        };
        tokio::join!(sending, async { reading.read_to_end(&mut received).await.unwrap() });
        assert_eq!(received, sent);
        assert!(start.elapsed() >= 2 * DELAY);
        echo.await.unwrap();
    }
}
