//! What went wrong around the measures.

use super::held_up::HeldUp;
use super::tls::Tally;

/// What went wrong around the measures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Seconds in which connects could not be accepted at once.
    pub accept_failed: u64,
    /// Seconds in which connects came to brownout itself that had to be led on, and could not be.
    pub astray: u64,
    /// Links for which the hub could not be reached.
    pub hub_unreachable: u64,
    /// Messages that asked for a fault, and were honoured or ignored.
    pub fault_messages: u64,
    /// Why such messages were ignored.
    pub ignored_messages: Tally<String>,
    /// Why streams were not MQTT.
    pub not_mqtt: Tally<String>,
    /// Listeners that could not be muted, with the reason, where no rule is known to have asked for it.
    pub mute_refused: Vec<String>,
    /// How brownout itself was held up, if it was.
    pub held_up: Option<HeldUp>,
    /// What came of the capture, where there was one.
    pub capture: Option<Captured>,
    /// With which code the command beside the run ended, or that a signal ended it, where nobody had told it to and the code is
    /// not 0.
    pub command_failed: Option<Option<i32>>,
}

/// A capture of the run's MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Reads and writes that are not in it for lack of room.
    pub dropped: u64,
    /// Why it ends before the run, if it does.
    pub error: Option<String>,
}
