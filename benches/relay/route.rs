//! A way that is open: its process, and the listener that is the hub.

use crate::process::Process;
use crate::tls::Pki;
use crate::ways::{Cores, Place, Way};
use socket2::SockRef;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing that a row waits for takes longer.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A program listens after so long, or is broken.
const START: Duration = Duration::from_secs(60);

pub struct Route {
    pub name: String,
    pub hub: TcpListener,
    /// Where devices connect.
    pub address: SocketAddr,
    pub process: Option<Process>,
    /// System calls are counted, and times worthless.
    pub is_traced: bool,
    /// What is in between and the load share a core.
    pub is_crowded: bool,
    /// Of rows with TLS.
    pub pki: Option<Arc<Pki>>,
    _directory: TempDir,
}

impl Route {
    pub fn open(way: &Way, cores: Option<Cores>, pki: Option<Arc<Pki>>) -> Route {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        SockRef::from(&hub).listen(4096).unwrap();
        SockRef::from(&hub).set_read_timeout(Some(LIMIT)).unwrap();
        let hub_address = hub.local_addr().unwrap();
        let directory = TempDir::new().unwrap();
        let place = Place {
            listen: free_port(),
            hub: hub_address.port(),
            directory: directory.path(),
            pki: pki.as_deref(),
        };
        let own = cores.map_or(Vec::new(), |cores| way.cores(cores));
        let is_crowded = cores.is_none_or(|cores| own.contains(&cores.load));
        let mut process = way
            .command(&place)
            .map(|command| Process::start(command, &own, &directory.path().join("stderr")));
        let address = match &mut process {
            None => hub_address,
            Some(process) => {
                let address = SocketAddr::from(([127, 0, 0, 1], place.listen));
                wait_for(&way.name, address, process);
                address
            }
        };
        let name = way.name.clone();
        Route { name, hub, address, process, is_traced: false, is_crowded, pki, _directory: directory }
    }

    /// Processor time of what is in between, so far.
    pub fn cpu(&self) -> Duration {
        self.process.as_ref().map_or(Duration::ZERO, Process::cpu)
    }
}

/// Free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for(name: &str, address: SocketAddr, process: &mut Process) {
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(!process.has_ended(), "{name} has ended: {}", process.said());
        assert!(began.elapsed() < START, "{name} does not listen at {address}");
        thread::sleep(Duration::from_millis(10));
    }
}
