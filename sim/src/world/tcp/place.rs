//! Where a host's sockets are made and its process is started.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpSocket;

use super::netns::Space;

/// A host's place: its address, and its namespace when it has one of its own.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) ip: IpAddr,
    pub(super) space: Option<Arc<Space>>,
}

impl Place {
    /// The same place at another of its addresses.
    pub(super) fn at(&self, ip: IpAddr) -> Place {
        Place {
            ip,
            space: self.space.clone(),
        }
    }

    /// Does something there: sockets that are made and processes that are started belong there.
    pub(super) fn within<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match &self.space {
            Some(space) => space.within(work),
            None => work(),
        }
    }

    /// A socket that will connect from here.
    pub(super) fn socket(&self) -> io::Result<TcpSocket> {
        let socket = self.within(|| match self.ip {
            IpAddr::V4(_) => TcpSocket::new_v4(),
            IpAddr::V6(_) => TcpSocket::new_v6(),
        })?;
        socket.bind(SocketAddr::new(self.ip, 0))?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }
}
