//! Where TLS records leave a leg: what the peer has not taken waits here, and a fault damages it here.

use crate::tls::Damage;
use crate::tls::harm::Harmer;
use crate::tls::record::Records;
use std::cell::Cell;
use std::io;

/// The largest buffer that a worker keeps for the next leg that sends, in bytes: what TLS seals at once, and more.
const SPARE_MOST: usize = 256 * 1024;

thread_local! {
    /// What a leg writes into goes back here once it is sent: most is taken at once, and needs no buffer of its own.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The records that a leg sends.
#[derive(Debug, Default)]
pub struct Outlet {
    /// What waits; taken from the front.
    bytes: Vec<u8>,
    /// How much of it has gone.
    gone: usize,
    /// Where the records are, behind the last byte that came in here.
    records: Records,
    harmer: Option<Harmer>,
    harmed: Harmed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Harmed {
    #[default]
    No,
    /// It waits to be sent.
    Waits,
    /// It was sent.
    Sent,
}

impl Outlet {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.gone == self.bytes.len()
    }

    /// How many bytes wait.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.gone
    }

    /// Whether what came in here ends amid a record: what waits is sent before anything that follows, and alone does not
    /// make that so.
    pub fn is_amid_record(&self) -> bool {
        !(self.records.at_boundary() || self.records.is_opaque())
    }

    /// Whether what was sent so far is records.
    pub fn is_of_records(&self) -> bool {
        !self.records.is_opaque()
    }

    /// The next record of application data is to be damaged.
    pub fn harm(&mut self, damage: Damage) {
        self.harmer = Some(Harmer::new(damage));
    }

    /// No record is to be damaged any more: what still comes is no application data.
    pub fn disarm(&mut self) {
        self.harmer = None;
    }

    /// Whether a damaged record was sent since this was last asked.
    pub fn take_harmed(&mut self) -> bool {
        let sent = self.harmed == Harmed::Sent;
        if sent {
            self.harmed = Harmed::No;
        }
        sent
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.take(|into| into.extend_from_slice(bytes));
    }

    /// Takes in what is appended.
    pub fn take<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.take();
        }
        let before = self.bytes.len();
        let result = write(&mut self.bytes);
        let came = &mut self.bytes[before..];
        let walker = self.records.clone();
        walk(&mut self.records, came);
        if let Some(harmer) = &mut self.harmer
            && harmer.harm(&walker, came)
        {
            self.harmer = None;
            self.harmed = Harmed::Waits;
        }
        if self.bytes.is_empty() {
            give_back(std::mem::take(&mut self.bytes));
        }
        result
    }

    /// Sends what waits with `send`, which says how much it took; 0 for nothing now.
    ///
    /// # Errors
    /// The sender's.
    pub fn flush(&mut self, mut send: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        while self.gone < self.bytes.len() {
            match send(&self.bytes[self.gone..])? {
                0 => {
                    self.settle();
                    return Ok(());
                }
                count => self.gone += count,
            }
        }
        if self.gone > 0 && self.harmed == Harmed::Waits {
            self.harmed = Harmed::Sent;
        }
        self.settle();
        Ok(())
    }

    /// What waits long gets a buffer of about its size, and an idle leg none.
    fn settle(&mut self) {
        let rest = &self.bytes[self.gone..];
        if self.bytes.capacity() > 2 * rest.len() {
            let rest = rest.to_vec();
            self.gone = 0;
            give_back(std::mem::replace(&mut self.bytes, rest));
        }
    }

    /// Bytes that are on their way past this outlet, without waiting here, at most `bytes.len()` of them: sends them
    /// with `send`, damaged if that is due, and says how many went.
    ///
    /// # Errors
    /// The sender's.
    pub fn pass<P>(&mut self, bytes: &[u8], send: impl FnOnce(&[u8]) -> P, taken: impl Fn(&P) -> usize) -> P {
        let Some(harmer) = &self.harmer else {
            let sent = send(bytes);
            walk(&mut self.records, &bytes[..taken(&sent)]);
            return sent;
        };
        let mut copy = bytes.to_vec();
        harmer.clone().harm(&self.records, &mut copy);
        let sent = send(&copy);
        // What was taken is gone through once more: the harmer may stand in the middle of a record now.
        let count = taken(&sent);
        let mut harmer = harmer.clone();
        let done = harmer.harm(&self.records, &mut bytes[..count].to_vec());
        if done {
            self.harmed = Harmed::Sent;
        }
        self.harmer = Some(harmer).filter(|_| !done);
        walk(&mut self.records, &bytes[..count]);
        sent
    }
}

/// Keeps a buffer for the next leg that sends.
fn give_back(mut buffer: Vec<u8>) {
    buffer.clear();
    if buffer.capacity() <= SPARE_MOST {
        SPARE.set(buffer);
    }
}

/// Follows the records in these bytes.
fn walk(records: &mut Records, bytes: &[u8]) {
    let mut scan = records.scan(bytes);
    while scan.next_piece().is_some() {}
}
