//! Opens the port.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// How many connections the kernel may hold that were not accepted yet; it may have a lower limit of its own. It drops
/// what is more, and a client tries again after a second. The usual 128 is what comes in some milliseconds of an
/// attack, while the server's thread waits for its turn.
pub(crate) const BACKLOG: i32 = 4_096;

/// Listens on `address`, within a runtime of tokio.
///
/// `[::]` hears IPv6 and IPv4, whatever the system does by itself: Windows and some configurations of Linux and
/// the BSDs would hear IPv6 alone. On a machine without IPv6 it hears IPv4.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let is_any_v6 = address.is_ipv6() && address.ip().is_unspecified();
    let socket = match socket(address) {
        Err(_) if is_any_v6 => return listen((Ipv4Addr::UNSPECIFIED, address.port()).into()),
        made => made?,
    };
    if is_any_v6 {
        socket.set_only_v6(false)?;
    }
    // On Windows it would let two programs share the port. Elsewhere it lets a server start again at once.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use socket2::SockRef;
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn the_address_of_all_families_hears_ipv4_and_ipv6() {
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
    async fn a_port_in_use_is_said_to_be() {
        let taken = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let error = listen(taken.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
