//! The timeline of a run, for pictures: what each device's link was like at each moment, and what the fleet did, second by
//! second. A fold over events with bounded memory: what a screen cannot show is summed up.

use crate::base::Time;
use crate::event::Event;

/// The timeline of one run, being made.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    end: Time,
}

impl Timeline {
    /// Takes in one event. Events come in order.
    pub fn push(&mut self, event: &Event) {
        self.end = event.at;
    }
}
