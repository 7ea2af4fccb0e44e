//! The sockets of a port and their options.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::options::ServeOptions;

/// Connections that the kernel may hold before they are accepted; the kernel may have a lower limit. It drops further ones,
/// whose clients try again after a second. The usual 128 arrive within some milliseconds of an attack, while the server's
/// thread waits for its turn.
const BACKLOG: i32 = 4_096;

/// Listens on `address`, within a tokio runtime.
///
/// `[::]` accepts IPv6 and IPv4 on every system; Windows and some configurations of Linux and the BSDs accept only IPv6 by
/// default. On a machine without IPv6 it accepts IPv4.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let is_any_v6 = address.is_ipv6() && address.ip().is_unspecified();
    let socket = match Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)) {
        Err(_) if is_any_v6 => return listen((Ipv4Addr::UNSPECIFIED, address.port()).into()),
        socket => socket?,
    };
    if is_any_v6 {
        socket.set_only_v6(false)?;
    }
    // On Windows this would let two programs share the port. Elsewhere it lets a server restart at once.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Sets the backlog of a listener that may have been opened elsewhere, with a shorter one.
pub(super) fn set_backlog(listener: &TcpListener) {
    if let Err(error) = SockRef::from(listener).listen(BACKLOG) {
        tracing::debug!(%error, "cannot set the backlog of the listener");
    }
}

/// Sends small frames at once, lets the kernel find peers that vanished, and limits what it buffers for a peer that does not
/// read. A socket that refuses an option still works.
pub(super) fn configure(stream: &TcpStream, options: &ServeOptions) {
    let keepalive =
        TcpKeepalive::new().with_time(options.keep_alive_interval).with_interval(options.keep_alive_interval);
    let socket = SockRef::from(stream);
    let configured = stream.set_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let configured = configured
        .and_then(|()| socket.set_tcp_user_timeout(Some(options.unacknowledged_timeout)))
        .and_then(|()| socket.set_tcp_notsent_lowat(options.max_unsent));
    if let Err(error) = configured {
        tracing::debug!(%error, "cannot set an option of a socket");
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[tokio::test]
    async fn the_unspecified_ipv6_address_accepts_ipv4_and_ipv6() {
        let listener = listen((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
        let port = listener.local_addr().unwrap().port();

        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok());

        // A machine may be without IPv6.
        if listener.local_addr().unwrap().is_ipv6() {
            assert!(!SockRef::from(&listener).only_v6().unwrap());
            if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
                assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.is_ok());
            }
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error() {
        let taken = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let error = listen(taken.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
