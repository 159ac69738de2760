//! Links: a device's socket and the hub's side of it, past CONNECT and CONNACK.

use crate::route::{LIMIT, Route};
use crate::wire;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::slice;

pub struct Link {
    pub device: TcpStream,
    pub hub: TcpStream,
}

impl Route {
    /// So many links, one after the other.
    pub fn links(&self, count: usize) -> Vec<Link> {
        (0..count).map(|n| self.link(&format!("d{n}"))).collect()
    }

    pub fn link(&self, client: &str) -> Link {
        self.try_link(client).unwrap_or_else(|error| panic!("{}, device {client}: {error}", self.name))
    }

    fn try_link(&self, client: &str) -> io::Result<Link> {
        let mut device = TcpStream::connect(self.address)?;
        prepare(&device)?;
        let connect = wire::connect(client);
        device.write_all(&connect)?;
        let mut hub = self.accept(slice::from_ref(&connect))?;
        hub.write_all(&wire::CONNACK)?;
        device.read_exact(&mut [0; wire::CONNACK.len()])?;
        Ok(Link { device, hub })
    }

    /// The connection that begins with one of these CONNECTs, which are all as long; what only probed the hub before it is
    /// passed over.
    pub fn accept(&self, connects: &[Vec<u8>]) -> io::Result<TcpStream> {
        let mut came = vec![0; connects[0].len()];
        loop {
            let mut hub = self.hub.accept()?.0;
            prepare(&hub)?;
            match hub.read_exact(&mut came) {
                Ok(()) if connects.contains(&came) => return Ok(hub),
                Ok(()) => return Err(io::Error::other("another CONNECT came than was sent")),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(error),
            }
        }
    }
}

pub fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.set_write_timeout(Some(LIMIT))
}
