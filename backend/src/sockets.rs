//! The sockets that the program listens on: those that systemd passes to it, and otherwise its own.

use std::io;
use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;

/// A port of the program.
#[derive(Debug)]
pub struct Port {
    /// Name of a socket of systemd (`FileDescriptorName=`). `None`: a socket with any other name.
    name: Option<&'static str>,
    /// The flag that sets its address.
    flag: &'static str,
    /// In errors: its purpose, after a space.
    purpose: &'static str,
}

/// The port of clients.
pub const CLIENTS: Port = Port { name: None, flag: "--listen", purpose: "" };

/// The port of operators.
pub(crate) const OPERATORS: Port = Port { name: Some("admin"), flag: "--admin", purpose: " for operators" };

/// The port that redirects to https.
pub(crate) const REDIRECTS: Port =
    Port { name: Some("redirect-http"), flag: "--redirect-http", purpose: " for redirects" };

/// The sockets that systemd passed and nothing took yet, each with its name.
#[derive(Debug, Default)]
pub struct PassedSockets(Vec<(String, std::net::TcpListener)>);

impl PassedSockets {
    /// Takes the sockets that systemd passed to this process: none, if it is not started by a socket unit.
    #[cfg(unix)]
    pub fn of_process() -> anyhow::Result<Self> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = listenfd::ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..passed.len() {
            let name = names.next().unwrap_or_default().to_owned();
            let socket = passed.take_tcp_listener(index);
            let socket =
                socket.with_context(|| format!("the socket {name:?} of systemd is not one of TCP"))?;
            sockets.extend(socket.map(|socket| (name, socket)));
        }
        Ok(Self(sockets))
    }

    /// There are none.
    #[cfg(not(unix))]
    pub fn of_process() -> anyhow::Result<Self> {
        Ok(Self::default())
    }

    /// The socket that was passed for a port, or else a new one at `address`. `None` without either.
    pub fn listen(
        &mut self,
        port: &Port,
        address: Option<SocketAddr>,
    ) -> anyhow::Result<Option<TcpListener>> {
        if let Some(socket) = self.take(port)? {
            return Ok(Some(adopt(socket).context("cannot use the socket of systemd")?));
        }
        address.map(|address| listen(port, address)).transpose()
    }

    /// Takes the socket of a port.
    fn take(&mut self, port: &Port) -> anyhow::Result<Option<std::net::TcpListener>> {
        let named = [&OPERATORS, &REDIRECTS].map(|port| port.name);
        let is_of_port = |name: &str| match port.name {
            Some(own) => own == name,
            None => !named.contains(&Some(name)),
        };
        let mut own = self.0.extract_if(.., |(name, _)| is_of_port(name));
        let first = own.next().map(|(_, socket)| socket);
        match own.count() {
            0 => Ok(first),
            more => anyhow::bail!(
                "systemd passed {} sockets for {}, which has one; name others admin or redirect-http by FileDescriptorName",
                more + 1,
                port.flag
            ),
        }
    }
}

fn adopt(socket: std::net::TcpListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

fn listen(port: &Port, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let Port { flag, purpose, .. } = port;
    tonic_serve::listen(address).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "another program uses the port".to_owned(),
            io::ErrorKind::AddrNotAvailable => "this machine does not have the address".to_owned(),
            _ => error.to_string(),
        };
        anyhow::anyhow!(
            "cannot listen on {address}{purpose}: {reason}; choose another address or port with {flag}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> std::net::TcpListener {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap()
    }

    #[tokio::test]
    async fn sockets_go_to_the_ports_of_their_names() {
        let (main, admin) = (socket(), socket());
        let addresses = [&main, &admin].map(|socket| socket.local_addr().unwrap());
        let mut passed = PassedSockets(vec![("admin".into(), admin), ("chinwag.socket".into(), main)]);
        let unused = Some("192.0.2.1:1".parse().unwrap());
        let [main, admin] = [&CLIENTS, &OPERATORS]
            .map(|port| passed.listen(port, unused).unwrap().unwrap().local_addr().unwrap());
        assert_eq!([main, admin], addresses);
        assert!(passed.listen(&REDIRECTS, None).unwrap().is_none());
        let own = passed.listen(&REDIRECTS, Some("127.0.0.1:0".parse().unwrap())).unwrap();
        assert!(own.is_some());
    }

    #[tokio::test]
    async fn a_second_socket_for_a_port_is_refused_with_the_way_out() {
        let mut passed = PassedSockets(vec![("a".into(), socket()), ("b".into(), socket())]);
        let refusal = passed.listen(&CLIENTS, None).unwrap_err().to_string();
        assert!(
            refusal.contains("2 sockets for --listen") && refusal.contains("FileDescriptorName"),
            "{refusal}"
        );
    }

    #[tokio::test]
    async fn a_port_in_use_is_told_with_its_flag() {
        let taken = tonic_serve::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = taken.local_addr().unwrap();
        for (port, flag) in
            [(CLIENTS, "with --listen"), (OPERATORS, "with --admin"), (REDIRECTS, "with --redirect-http")]
        {
            let refusal = PassedSockets::default().listen(&port, Some(address)).unwrap_err().to_string();
            assert!(
                refusal.contains("another program uses the port") && refusal.ends_with(flag),
                "{refusal}"
            );
        }
    }
}
