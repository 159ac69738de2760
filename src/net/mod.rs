//! Floor 5: sockets and clocks; what the pure floors decide is carried out here.
//!
//! Owns every file descriptor of the run. Invariant: nothing here decides what breaks; it does what it is
//! told and says what really happened. Deliberately absent: unsafe code outside [`sys`].

pub mod alarm;
pub mod clock;
pub mod sys;
