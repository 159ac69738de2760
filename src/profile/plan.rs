//! The checked plan of a run.

use super::metric::Metric;
use super::sequence::Sequence;
use super::strictness::Strictness;
use crate::azure::{self, FaultOperation};
use crate::base::{Chance, ListenerId, RuleId, Span};
use crate::event::TlsMode;
use crate::fault::Fault;
use crate::mqtt::{PacketKind, Version};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The keep-alive that spans are resolved with for a device that has none (keep-alive 0), unless the profile says
/// otherwise. 60 s is what most client libraries start from; every report says when it was used.
pub const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(60);

/// How long a run watches on after the last path was restored, unless the profile says otherwise: a client that
/// notices a dead link at twice its keep-alive, and then backs off for some seconds, is still seen to come back.
pub const DEFAULT_SETTLE: Span = Span::of(1.0, Duration::from_secs(10));

/// A profile, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// Which symptom of the field it brings about.
    pub reproduces: Option<String>,
    /// The listeners that the profile itself names; the command line may name them instead.
    pub listeners: Vec<ListenerPlan>,
    /// How many devices must have been seen before the run may be through; at least 1.
    pub devices: u32,
    /// The keep-alive for spans of devices without one.
    pub default_keep_alive: Duration,
    /// How long to watch on after the last path was restored.
    pub settle: Span,
    /// The longest the run may last.
    pub duration: Option<Duration>,
    /// The keep-alive that every end is told in the place of the device's, in seconds, above 0: in CONNECT, and in the
    /// CONNACK of MQTT 5; devices before MQTT 5 cannot be told, and keep theirs.
    pub server_keep_alive: Option<u16>,
    /// Where the application's own sequence number stands in payloads.
    pub sequence: Option<Sequence>,
    /// The client identifiers (a glob) whose fault-injection messages are honoured; see [`Plan::honour`].
    pub fault_messages: Option<String>,
    /// What the run is judged by beside its expectations, where somebody asked for it.
    pub strictness: Option<Strictness>,
    /// The rules, in the order of the file; [`RuleId`] is the position. Those of fault-injection messages come last.
    pub rules: Vec<Rule>,
    /// The expectations, in the order of the file.
    pub expectations: Vec<Expectation>,
}

impl Plan {
    /// What the run is judged by beside its expectations.
    pub fn strictness(&self) -> Strictness {
        self.strictness.unwrap_or_default()
    }

    /// The rule of that number.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(usize::from(id.0))
    }

    /// The rules with their numbers.
    pub fn rules(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        (0..).map(RuleId).zip(&self.rules)
    }
}

/// Where devices connect, and where that leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerPlan {
    /// Its name; rules may name it in `who`.
    pub name: String,
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: String,
    /// Host and port of the hub.
    pub upstream: String,
    /// What of TLS holds there.
    pub tls: TlsPlan,
}

/// TLS at a listener. Paths are as given: absolute, or from the current directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsPlan {
    /// Where TLS begins and ends.
    pub mode: TlsMode,
    /// PEM file of the certificate chain that devices are shown, its own first.
    pub certificate: Option<String>,
    /// PEM file of its key.
    pub key: Option<String>,
    /// Directory of the CA, as `brownout ca` makes it, that signs a certificate for each name that devices ask for.
    pub ca: Option<String>,
    /// Whether devices are asked for a certificate.
    pub client_certificates: ClientCertificates,
    /// PEM file of the CA or CAs that devices' certificates have to come from; without it, any certificate does.
    pub client_ca: Option<String>,
    /// PEM file of the CA or CAs that the hub's certificate has to come from; without it, the system's.
    pub hub_ca: Option<String>,
    /// The name that the hub's certificate has to be for, and that is asked for. Without it: where a route leads by the
    /// name that the device asked for, that name, and else the host of `upstream`.
    pub hub_name: Option<String>,
    /// Whether the hub's certificate is not verified.
    pub hub_unverified: bool,
    /// PEM file of the certificate chain that the hub is shown.
    pub hub_certificate: Option<String>,
    /// PEM file of its key.
    pub hub_key: Option<String>,
    /// Directory of certificates that the hub is shown: `CN.pem` and `CN.key` for the common name of the certificate
    /// that the device presented.
    pub hub_certificates: Option<String>,
    /// Other hubs by the name that the device asks for; the first that matches.
    pub routes: Vec<Route>,
}

/// Another hub for some server names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// A glob over the server name.
    pub sni: String,
    /// Host and port of the hub.
    pub upstream: String,
}

/// Whether devices are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificates {
    /// No.
    #[default]
    None,
    /// They may present one.
    Request,
    /// They have to present one.
    Require,
}

/// Who, when, what.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name in the profile.
    pub id: String,
    /// On whom it may fall.
    pub who: Who,
    /// When it fires.
    pub when: When,
    /// Whether a firing falls on a device: drawn for each device and firing.
    pub chance: Chance,
    /// What it does.
    pub fault: Fault,
    /// As what Azure IoT Hub would log a link that it ends or a connect that it refuses, where the wire does not tell.
    pub logged_as: Option<azure::Code>,
}

impl Rule {
    /// Whether only the CONNECT can say if a firing falls on a link: chances are drawn by the device's name.
    pub fn needs_connect(&self) -> bool {
        self.who.needs_connect() || self.chance != Chance::ALWAYS
    }
}

/// On whom a rule may fall. Every condition that is given must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Who {
    /// A glob over the client identifier (or the name a device has without one).
    pub client: Option<String>,
    /// A glob over the user name; a device without one does not match.
    pub username: Option<String>,
    /// The device's address lies in this network.
    pub address: Option<Network>,
    /// The protocol version of its CONNECT.
    pub version: Option<Version>,
    /// The listener it came to.
    pub listener: Option<ListenerId>,
    /// A glob over the server name that its TLS asks for; a device that asks for none does not match.
    pub sni: Option<String>,
    /// A glob over the subject of the certificate that it presents; a device without one does not match.
    pub subject: Option<String>,
    /// This share of the devices, drawn once for each device and rule.
    pub share: Chance,
}

impl Who {
    /// Everyone.
    pub const EVERYONE: Who = Who {
        client: None,
        username: None,
        address: None,
        version: None,
        listener: None,
        sni: None,
        subject: None,
        share: Chance::ALWAYS,
    };

    /// Whether only the CONNECT can say if it matches (address, listener, SNI and certificate are known before).
    pub fn needs_connect(&self) -> bool {
        self.client.is_some()
            || self.username.is_some()
            || self.version.is_some()
            || self.share != Chance::ALWAYS
    }

    /// Whether it says nothing of a device but the listener and what its CONNECT says: the address, the server name and
    /// the certificate tell devices apart before that, but a SYN says none of them that counts for all.
    pub(super) fn is_of_anyone_there(&self) -> bool {
        self.address.is_none() && self.sni.is_none() && self.subject.is_none()
    }

    /// Whether it matches every device that comes to this listener.
    pub fn is_everyone_at(&self, listener: ListenerId) -> bool {
        !self.needs_connect()
            && self.is_of_anyone_there()
            && self.listener.is_none_or(|wanted| wanted == listener)
    }
}

/// A network: `192.168.1.0/24`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its base address.
    pub base: IpAddr,
    /// How many leading bits count: 0 to 32, or to 128 for IPv6.
    pub prefix: u8,
}

impl Network {
    /// Whether the address lies in it. An IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => same_prefix(
                u128::from(base.to_bits()) << 96,
                u128::from(address.to_bits()) << 96,
                self.prefix,
            ),
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                same_prefix(base.to_bits(), address.to_bits(), self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn same_prefix(a: u128, b: u128, prefix: u8) -> bool {
    (a ^ b).checked_shr(128 - u32::from(prefix)).unwrap_or(0) == 0
}

/// When a rule fires.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// At a time of the run, on every matching device at once.
    At {
        /// The first time, from the beginning of the run.
        first: Duration,
        /// Whether and how it fires again.
        repeat: Option<Repeat>,
    },
    /// At each of these times of the run, on every matching device at once, and each time for as long as it says, where the
    /// fault holds. Ascending. Only plans that are made in code have it.
    Spells(Arc<[Spell]>),
    /// After a packet of the device's own link, on that device alone.
    After {
        /// The kind of packet.
        packet: PacketKind,
        /// Its number among those of that kind on the link, from 1.
        nth: u32,
        /// How long after it.
        delay: Span,
        /// How often at most for each device; at least 1.
        times: u32,
    },
    /// When a device asks for it by a fault-injection message, on that device alone.
    Asked(FaultOperation),
}

impl When {
    /// Whether it fires by the run's time, on every device at once.
    pub fn is_by_clock(&self) -> bool {
        match self {
            When::At { .. } | When::Spells(_) => true,
            When::After { .. } | When::Asked(_) => false,
        }
    }
}

/// One of several times that a fault holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// From when, since the beginning of the run.
    pub at: Duration,
    /// For how long.
    pub hold: Duration,
}

/// How a rule fires again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// From one firing to the next.
    pub every: Duration,
    /// Each firing after the first is moved by up to this much, either way.
    pub jitter: Duration,
    /// How often in all; `None`: as long as the run lasts.
    pub times: Option<u32>,
}

/// What a measure is expected to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The measure.
    pub metric: Metric,
    /// Only samples of this rule's windows.
    pub of: Option<RuleId>,
    /// Only samples of devices whose name matches this glob.
    pub client: Option<String>,
    /// What of the samples.
    pub statistic: Statistic,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what: a span for times (resolved with each sample's own keep-alive), a number for counts.
    pub limit: Limit,
}

/// What an expectation looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// The greatest sample.
    Max,
    /// The smallest sample.
    Min,
    /// The sample that this share of the samples does not exceed: 50, 90, 95, 99 ... percent, above 0, up to 100.
    Percentile(f64),
    /// All samples added.
    Sum,
    /// How many samples there are.
    Count,
}

/// How a figure is compared with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `==`
    Equal,
}

impl Comparison {
    /// Of two whose signs begin alike, the longer first.
    const ALL: [Comparison; 5] =
        [Comparison::AtMost, Comparison::AtLeast, Comparison::Equal, Comparison::Below, Comparison::Above];

    /// Its sign.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::AtMost => "<=",
            Comparison::Below => "<",
            Comparison::AtLeast => ">=",
            Comparison::Above => ">",
            Comparison::Equal => "==",
        }
    }

    /// The one whose sign a text begins with, and the limit that follows.
    pub fn leading(text: &str) -> Option<(Comparison, &str)> {
        Comparison::ALL.into_iter().find_map(|one| Some((one, text.strip_prefix(one.sign())?.trim())))
    }
}

/// The limit of an expectation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// For measures in time.
    Span(Span),
    /// For measures that count.
    Number(f64),
}
