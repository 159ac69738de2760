//! What was wished for, and what is advised.

use super::budget::Budget;
use super::detect;
use super::steady::{Steady, steady};
use super::wait::{Needed, needed};
use crate::base::time::nanos;
use crate::device::{Habits, Workload};
use crate::keepalive::access::Access;
use crate::keepalive::clients::Client;
use crate::keepalive::hubs::Manner;
use crate::mqtt::Version;
use serde::Serialize;
use std::str::FromStr;
use std::time::Duration;

/// The version of [`Advice`]'s JSON.
pub const VERSION: u32 = 1;

/// The least time that a device is to wait for an answer where it can be told: a hub under load answers late, too.
/// Where detection is wanted sooner, it is [`WAIT_SHARE`] of that.
const PATIENCE: Duration = Duration::from_secs(5);

/// See [`PATIENCE`].
const WAIT_SHARE: u32 = 4;

/// The path's idle timeout less this share of it is what a device may use: a middlebox looks at its timers seldom
/// (conntrack, for one, each few seconds to minutes), and a packet that comes just too late finds nothing.
const IDLE_SHARE: u32 = 10;

/// Who has to notice in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectedBy {
    /// The device.
    Device,
    /// The hub.
    Hub,
    /// Each of them.
    Both,
}

impl FromStr for DetectedBy {
    type Err = String;

    fn from_str(text: &str) -> Result<DetectedBy, String> {
        match text {
            "device" => Ok(DetectedBy::Device),
            "hub" => Ok(DetectedBy::Hub),
            "both" => Ok(DetectedBy::Both),
            _ => Err(format!("`{text}` is none of device, hub, both")),
        }
    }
}

/// What is wanted, and of whom.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The client.
    pub client: &'static Client,
    /// The hub.
    pub hub: &'static Manner,
    /// The network.
    pub access: &'static Access,
    /// What the device does.
    pub workload: Workload,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The share of segments lost, 0 to 1.
    pub loss: f64,
    /// From the device to the hub and back.
    pub round_trip: Duration,
    /// A lost link is to be noticed within this.
    pub detect_within: Duration,
    /// By whom.
    pub detected_by: DetectedBy,
    /// Data that may be used.
    pub budget: Option<Budget>,
    /// After how long without a packet the path forgets a connection.
    pub path_idle: Option<Duration>,
    /// Devices that may return together; 0: one.
    pub fleet: u32,
    /// New connections a second that the hub admits, where it is known.
    pub connects_per_second: Option<u32>,
}

impl Wish {
    /// The wait for PINGRESP that the client is to be told where it pings at this interval, if it can be told one.
    fn told_timeout(&self, interval: Duration) -> Option<Duration> {
        let need = self.needed(interval).time;
        let share = self.detect_within / WAIT_SHARE;
        let whole = Duration::from_secs_f64(need.max(PATIENCE.min(share)).as_secs_f64().ceil());
        self.client.sets_ping_timeout.then_some(whole)
    }

    /// What the device would be with this keep-alive.
    pub(super) fn habits(&self, keep_alive: u16) -> Habits {
        let plain = self.client.habits("device-1", Duration::from_secs(keep_alive.into()));
        let most = self.client.most_ping_timeout.map_or(Duration::MAX, |most| most.of(plain.keep_alive));
        let told = self.told_timeout(plain.ping_interval).map(|told| told.min(most));
        let ping_timeout = plain.ping_timeout.map(|wait| told.unwrap_or(wait));
        Habits { ping_timeout, workload: self.workload.clone(), ..plain }
    }

    /// The least keep-alive in seconds that makes a difference. A smaller one than the hub's least is raised to that in a device
    /// of MQTT 5, by Server Keep Alive [MQTT-3.2.2-21]; of another the hub only bears more silence, and the device goes by its own.
    pub(super) fn hubs_least(&self) -> u16 {
        let raises = self.habits(self.client.keep_alive.value).version == Version::V5;
        if raises { self.hub.limits().least } else { 1 }
    }

    /// What it costs.
    pub(super) fn steady(&self, keep_alive: u16) -> Steady {
        steady(&self.habits(keep_alive), self.access, self.round_trip, self.tls)
    }

    /// What an answer needs where the device pings at this interval.
    pub(super) fn needed(&self, interval: Duration) -> Needed {
        needed(self.round_trip, self.loss, interval)
    }

    /// How much below the path's idle timeout the device has to stay.
    pub(super) fn idle_margin(&self, path_idle: Duration) -> Duration {
        // A ping that is lost has to be there in time when it is sent again.
        (path_idle / IDLE_SHARE).max(self.needed(path_idle).time)
    }

    /// Whether the device has to notice in time.
    pub(super) fn of_device(&self) -> bool {
        self.detected_by != DetectedBy::Hub
    }

    /// Whether the hub has to.
    pub(super) fn of_hub(&self) -> bool {
        self.detected_by != DetectedBy::Device
    }

    /// New connections a second that the hub admits.
    pub(super) fn throttle(&self) -> Option<u32> {
        self.connects_per_second.or(self.hub.connects.map(|throttle| throttle.per_second))
    }
}

/// What a keep-alive does and costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// In seconds.
    pub keep_alive: u16,
    /// How often the device pings while it is idle.
    pub ping_interval_ns: u64,
    /// How long it waits for the answer; `None` never looks.
    pub ping_timeout_ns: Option<u64>,
    /// The longest that the device needs to notice; `None`: it may never by itself.
    pub device_ns: Option<u64>,
    /// The longest that the hub needs; `None`: for ever.
    pub hub_ns: Option<u64>,
    /// PINGREQs in 30 days.
    pub pings: f64,
    /// Bytes of IP in 30 days, both ways.
    pub bytes: f64,
    /// Times that the radio wakes up in 30 days.
    pub wake_ups: f64,
    /// Share of the time that it is awake, 0 to 1.
    pub awake: f64,
    /// What is left to the path's idle timeout; negative: the path forgets first. `None`: no such timeout is known.
    pub idle_margin_ns: Option<i64>,
    /// The targets that it misses.
    pub misses: Vec<Miss>,
    /// Whether it is the one advised.
    pub chosen: bool,
    /// Whether the client has it where nobody sets one.
    pub is_default: bool,
}

/// A target that is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Miss {
    /// The device notices too late.
    Device,
    /// The hub does.
    Hub,
    /// It costs more data than may be used.
    Budget,
    /// The path may forget the connection between two packets.
    Path,
    /// A sound path may need longer to answer than the device waits.
    Wait,
}

impl Candidate {
    /// What becomes of this wish with this keep-alive.
    pub(super) fn of(wish: &Wish, keep_alive: u16) -> Candidate {
        let habits = wish.habits(keep_alive);
        let (device, hub) = (detect::device(&habits, wish.round_trip), detect::hub(wish.hub, keep_alive));
        let steady = wish.steady(keep_alive);
        let late = |time: Option<Duration>| time.is_none_or(|time| time > wish.detect_within);
        let is_forgotten = wish.path_idle.is_some_and(|path_idle| {
            steady.longest_gap.is_none_or(|gap| gap + wish.idle_margin(path_idle) > path_idle)
        });
        let is_hasty = habits.ping_timeout.is_some_and(|wait| wait < wish.needed(habits.ping_interval).time);
        let over = wish.budget.as_ref().is_some_and(|budget| steady.bytes > budget.bytes_a_month);
        let misses = [
            (wish.of_device() && late(device.map(detect::DeviceTime::total)), Miss::Device),
            (wish.of_hub() && late(hub), Miss::Hub),
            (over, Miss::Budget),
            (is_forgotten, Miss::Path),
            (is_hasty, Miss::Wait),
        ];
        Candidate {
            keep_alive,
            ping_interval_ns: nanos(habits.ping_interval),
            ping_timeout_ns: habits.ping_timeout.map(nanos),
            device_ns: device.map(|time| nanos(time.total())),
            hub_ns: hub.map(nanos),
            pings: steady.pings,
            bytes: steady.bytes,
            wake_ups: steady.wake_ups,
            awake: steady.awake,
            idle_margin_ns: wish.path_idle.map(|path_idle| left(path_idle, steady.longest_gap)),
            misses: misses.into_iter().filter_map(|(is_missed, miss)| is_missed.then_some(miss)).collect(),
            chosen: false,
            is_default: keep_alive == wish.client.keep_alive.value,
        }
    }
}

/// The idle timeout less the longest gap.
fn left(path_idle: Duration, gap: Option<Duration>) -> i64 {
    let signed = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    gap.map_or(i64::MIN, |gap| signed(path_idle).saturating_sub(signed(gap)))
}

/// What to set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// In seconds.
    pub keep_alive: u16,
    /// How often it pings while it is idle, as the client makes it from its keep-alive.
    pub ping_interval_ns: u64,
    /// How long it waits for PINGRESP; `None`: it never looks.
    pub ping_timeout_ns: Option<u64>,
    /// Whether that wait can be set; else it is what the client makes of its keep-alive.
    pub sets_ping_timeout: bool,
    /// The back-off, as it is typed.
    pub back_off: String,
}

/// What a simulation of the setting showed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulated {
    /// The keep-alive in seconds.
    pub keep_alive: u16,
    /// How long one device was simulated.
    pub span_ns: u64,
    /// The outages, as they are typed.
    pub outages: String,
    /// How many met a link.
    pub struck: u64,
    /// Of how many it is known what the device needed: a link that lives through one says nothing.
    pub device_count: u64,
    /// The longest that the device needed; `None`: it never noticed one, or nothing is known.
    pub device_ns: Option<u64>,
    /// As of the device.
    pub hub_count: u64,
    /// The longest that the hub needed.
    pub hub_ns: Option<u64>,
    /// Links given up although the path was sound.
    pub false_disconnects: u64,
    /// Links that the path forgot.
    pub forgotten: u64,
}

/// What is advised.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// [`VERSION`].
    pub brownout_keepalive_advice: u32,
    /// The client's name.
    pub client: String,
    /// The hub's manner.
    pub hub: String,
    /// The access network.
    pub access: String,
    /// What the device does, as it is typed.
    pub workload: String,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The share of segments lost.
    pub loss: f64,
    /// The round trip.
    pub round_trip_ns: u64,
    /// The target for detection.
    pub detect_within_ns: u64,
    /// Of whom.
    pub detected_by: DetectedBy,
    /// The data that may be used, as it was typed.
    pub data_budget: Option<String>,
    /// The path's idle timeout.
    pub path_idle_ns: Option<u64>,
    /// The devices that may return together.
    pub fleet: u32,
    /// What to set; `None`: no keep-alive meets all that is wanted.
    pub setting: Option<Setting>,
    /// Keep-alives beside each other, least first.
    pub candidates: Vec<Candidate>,
    /// Where targets exclude each other: which, by how much, and what could be had.
    pub conflicts: Vec<String>,
    /// Why this setting.
    pub reasons: Vec<String>,
    /// What to take care of.
    pub warnings: Vec<String>,
    /// What is only assumed.
    pub assumptions: Vec<String>,
    /// What simulations showed.
    pub simulated: Vec<Simulated>,
}
