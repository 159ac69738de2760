//! What faults did to packets, and what CONNECT and CONNACK said on either side of that.

use crate::base::Time;
use crate::event::Packet;
use crate::fault::{Alteration, Edit};
use crate::mqtt::Version;
use std::time::Duration;

/// So many different edits of a window are told apart; a rule has one, so more are of nobody's making.
const MOST_EDITS: usize = 8;

/// A packet that has arrived, and how it fares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fared<'a> {
    /// As it came.
    pub packet: &'a Packet,
    /// As it is passed on; `None` where a fault lets it go no further.
    pub passed: Option<&'a Packet>,
    /// Whether it waits.
    pub held: bool,
}

impl<'a> Fared<'a> {
    /// By what its event says.
    pub fn of(packet: &'a Packet, dropped: bool, passed: Option<&'a Packet>, held: bool) -> Fared<'a> {
        Fared { packet, passed: packet.passed_on(dropped, passed), held }
    }
}

/// What a window did to packets: each of them once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alterations {
    /// Not passed on.
    pub dropped: u64,
    /// Of those, acknowledged falsely.
    pub acknowledged: u64,
    /// Made to wait.
    pub delayed: u64,
    /// Passed on more than once.
    pub duplicated: u64,
    /// With fields changed.
    pub edited: u64,
    /// The edits, each once.
    pub edits: Vec<Edit>,
    /// With a byte changed.
    pub corrupted: u64,
    /// With the link ended amid them.
    pub cut: u64,
}

impl Alterations {
    pub(super) fn add(&mut self, what: &Alteration) {
        match what {
            Alteration::Dropped { acknowledged } => {
                self.dropped += 1;
                self.acknowledged += u64::from(*acknowledged);
            }
            Alteration::Delayed { .. } => self.delayed += 1,
            Alteration::Duplicated { .. } => self.duplicated += 1,
            Alteration::Edited { edit } => {
                self.edited += 1;
                self.note(*edit);
            }
            Alteration::Corrupted { .. } => self.corrupted += 1,
            Alteration::CutShort { .. } => self.cut += 1,
        }
    }

    /// Both together.
    pub fn merge(&mut self, other: &Alterations) {
        self.dropped += other.dropped;
        self.acknowledged += other.acknowledged;
        self.delayed += other.delayed;
        self.duplicated += other.duplicated;
        self.edited += other.edited;
        self.corrupted += other.corrupted;
        self.cut += other.cut;
        other.edits.iter().for_each(|edit| self.note(*edit));
    }

    /// How many packets: a window has one fault, and does it to a packet once.
    pub fn packets(&self) -> u64 {
        let Alterations { dropped, delayed, duplicated, edited, corrupted, cut, .. } = self;
        dropped + delayed + duplicated + edited + corrupted + cut
    }

    fn note(&mut self, edit: Edit) {
        if !self.edits.contains(&edit) && self.edits.len() < MOST_EDITS {
            self.edits.push(edit);
        }
    }
}

/// What a link's CONNECT asked for, and the CONNACK answered, as each end said it and as the other was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// When CONNECT arrived at brownout.
    pub at: Time,
    /// When the SAS token in it expires, in seconds since 1970.
    pub token_expiry: Option<u64>,
    /// It shows the password of the link before again.
    pub same_password: bool,
    /// It asked for a session of its own.
    pub clean: bool,
    /// The keep-alive in it, and what became of that.
    pub keep_alive: KeepAlive,
}

/// A keep-alive, in seconds; 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeepAlive {
    /// The protocol version: before MQTT 5 a device cannot be told another.
    pub version: Version,
    /// What the device asked for.
    pub asked: u16,
    /// What the hub was told.
    pub hub_told: u16,
    /// The hub's Server Keep Alive [MQTT-3.2.2-21].
    pub hub_answered: Option<u16>,
    /// The Server Keep Alive that the device was told.
    pub device_told: Option<u16>,
}

impl Greeting {
    /// Whether a session that goes on would not be told: of one that is not clean, no CONNACK of MQTT 3.1 says whether it is there.
    pub fn may_go_on_untold(self) -> bool {
        self.keep_alive.version == Version::V31 && !self.clean
    }

    /// Of this CONNECT, passed on so.
    pub(super) fn of(at: Time, asked: &Packet, passed: &Packet) -> Option<Greeting> {
        let Packet::Connect { version, clean, keep_alive, token_expiry, same_password, .. } = asked else {
            return None;
        };
        let hub_told =
            if let Packet::Connect { keep_alive, .. } = passed { *keep_alive } else { *keep_alive };
        let (version, asked) = (*version, *keep_alive);
        let keep_alive = KeepAlive { version, asked, hub_told, hub_answered: None, device_told: None };
        Some(Greeting {
            at,
            token_expiry: *token_expiry,
            same_password: *same_password,
            clean: *clean,
            keep_alive,
        })
    }
}

impl KeepAlive {
    /// The CONNACK came, and was passed on so.
    pub(super) fn answered(&mut self, answer: &Packet, passed: &Packet) {
        let of = |packet: &Packet| {
            if let Packet::Connack { server_keep_alive, .. } = packet { *server_keep_alive } else { None }
        };
        (self.hub_answered, self.device_told) = (of(answer), of(passed));
    }

    /// Whether a fault, or the profile, made it another on the way.
    pub fn is_rewritten(self) -> bool {
        self.hub_told != self.asked || self.device_told != self.hub_answered
    }

    /// What the device goes by.
    pub fn of_device(self) -> Duration {
        seconds(self.device_told.unwrap_or(self.asked))
    }

    /// What the hub goes by.
    pub fn of_hub(self) -> Duration {
        seconds(self.hub_answered.unwrap_or(self.hub_told))
    }
}

fn seconds(seconds: u16) -> Duration {
    Duration::from_secs(u64::from(seconds))
}
