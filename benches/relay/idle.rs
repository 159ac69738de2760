//! Memory: of links that are connected, have subscribed and said one thing, and are silent then; what is kept of them
//! when they are gone; and what devices leave that connect anew a thousand times.

use crate::link::Link;
use crate::process::Process;
use crate::route::Route;
use crate::row::Figures;
use crate::stats::float;
use crate::tls::TlsLink;
use crate::wire;
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

/// After connecting or closing many.
const SETTLE: Duration = Duration::from_millis(1_500);

/// After closing many: when most of many links have gone, and none has come or gone for 10 s, brownout gives free memory back
/// (src/cli/quiet.rs). What a user sees kept is what is kept then.
const GIVEN_BACK: Duration = Duration::from_millis(11_500);

/// Silence is watched for so long.
const SILENCE: Duration = Duration::from_secs(2);

/// The one message.
const MESSAGE: usize = 1024;

/// How many links, and how many devices connect anew how often.
#[derive(Clone, Copy)]
pub struct Idle {
    pub links: usize,
    pub devices: usize,
    pub reconnects: usize,
}

impl Idle {
    /// In the order of the columns: base, each link, processor time of silence, what is kept after close, and what more
    /// after reconnects. Nothing for the direct way.
    pub fn plain(self, route: &Route) -> Figures {
        self.through(route, |route, client| {
            let Link { mut device, mut hub } = route.link(client);
            warm(&mut device, &mut hub);
            (device, hub)
        })
    }

    /// The same with TLS on both legs.
    pub fn tls(self, route: &Route) -> Figures {
        self.through(route, |route, client| {
            let TlsLink { mut device, mut hub } = route.tls_link(client);
            warm(&mut device, &mut hub);
            (device, hub)
        })
    }

    fn through<L>(self, route: &Route, open: impl Fn(&Route, &str) -> L) -> Figures {
        let Some(process) = &route.process else { return vec![None; 5] };
        // The first link brings what all share.
        drop(open(route, "first"));
        thread::sleep(SETTLE);
        let base = memory(process);
        let links: Vec<_> = (0..self.links).map(|n| open(route, &format!("d{n}"))).collect();
        thread::sleep(SETTLE);
        let taken = memory(process) - base;
        let cpu = process.cpu();
        thread::sleep(SILENCE);
        let cpu = (process.cpu() - cpu).as_secs_f64() / SILENCE.as_secs_f64();
        drop(links);
        thread::sleep(GIVEN_BACK);
        let kept = memory(process);
        self.reconnect(route, &open);
        thread::sleep(GIVEN_BACK);
        let grown = memory(process) - kept;
        [base, taken / float(self.links), cpu, kept - base, grown].map(Some).to_vec()
    }

    fn reconnect<L>(self, route: &Route, open: &impl Fn(&Route, &str) -> L) {
        for _ in 0..self.reconnects {
            for n in 0..self.devices {
                drop(open(route, &format!("again{n}")));
            }
        }
    }
}

/// Bytes.
pub fn memory(process: &Process) -> f64 {
    float(usize::try_from(process.memory()).unwrap())
}

/// SUBSCRIBE, and one message.
fn warm(device: &mut (impl Read + Write), hub: &mut (impl Read + Write)) {
    let (subscribe, publish) = (wire::subscribe(), wire::publish(MESSAGE));
    device.write_all(&subscribe).unwrap();
    hub.read_exact(&mut vec![0; subscribe.len()]).unwrap();
    hub.write_all(&wire::SUBACK).unwrap();
    device.read_exact(&mut [0; wire::SUBACK.len()]).unwrap();
    device.write_all(&publish).unwrap();
    hub.read_exact(&mut vec![0; publish.len()]).unwrap();
}
