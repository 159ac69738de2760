//! What became of one probe, and whether that says anything of the path.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What became of a probe, as its own end of the connection saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// PINGRESP came.
    Alive,
    /// The connection ended, or is as good as ended.
    Lost(End),
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// PINGREQ was answered with RST, or ICMP.
    Reset,
    /// Nothing came in answer to PINGREQ, not even TCP's acknowledgement.
    Silence,
    /// TCP acknowledged PINGREQ, and no answer came: whoever acknowledges is not the hub, or the hub does not answer.
    Unanswered,
    /// RST came while it was idle.
    ResetIdle,
    /// FIN, DISCONNECT or a TLS alert. Nothing that only forwards packets sends that: the hub did, or a proxy that stands in for it.
    Closed,
    /// What came is no MQTT, or breaks TLS.
    Broken,
    /// A RST when the keep-alive of CONNECT, or the hub's own, had run out: the hub may end such a connection
    /// [MQTT-3.1.2-24].
    KeepAlive,
    /// It was not idle: the other side sent TCP segments by itself (its TCP keepalive), so that longer spans are not seen.
    Refreshed,
}

/// What was seen of the path when a probe was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The connection that is kept busy was never lost while the probe ran, and answered after it.
    pub control: bool,
    /// A new connection came about right after it.
    pub fresh: bool,
}

/// Why a probe says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Void {
    /// It did not come to be: no connection, though the path and the hub were up.
    NoConnection,
    /// It did not come to be: the path or the hub was down for longer than is waited for.
    Down,
    /// The connection that is kept busy was lost too: the path or the hub was down.
    ControlLost,
    /// No new connection came about: the path or the hub was down.
    NoFreshConnection,
}

/// What a probe says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// For how long the connection was idle: until PINGREQ, or until it ended by itself.
    pub idle: Duration,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether it repeats one that was doubted.
    pub again: bool,
}

impl Outcome {
    /// Whether what was seen beside makes it void.
    pub fn doubt(self, witness: Witness) -> Option<Void> {
        match self {
            // A PINGRESP is one whatever else happened; and what was not idle is not lost.
            Outcome::Alive | Outcome::Lost(End::Refreshed) => None,
            Outcome::Lost(_) if !witness.control => Some(Void::ControlLost),
            Outcome::Lost(_) if !witness.fresh => Some(Void::NoFreshConnection),
            Outcome::Lost(_) => None,
        }
    }
}

impl End {
    /// Whether this is the path's doing: it forgot, and what it does then.
    pub fn is_of_the_path(self) -> bool {
        match self {
            End::Reset | End::Silence | End::Unanswered | End::ResetIdle => true,
            End::Closed | End::Broken | End::KeepAlive | End::Refreshed => false,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            End::Reset => "reset on the ping",
            End::Silence => "silence",
            End::Unanswered => "acknowledged by TCP, but no answer",
            End::ResetIdle => "reset while idle",
            End::Closed => "closed by the other side",
            End::Broken => "broken by what is no MQTT, or no TLS",
            End::KeepAlive => "ended, with its keep-alive run out",
            End::Refreshed => "not idle: the other side sent TCP segments",
        })
    }
}

impl fmt::Display for Void {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Void::NoConnection => "no connection came about (where the hub takes no more: --connections)",
            Void::Down => "the path, or the hub, went down and stayed down",
            Void::ControlLost => "the connection that is kept busy was lost too",
            Void::NoFreshConnection => "no new connection came about either",
        })
    }
}
