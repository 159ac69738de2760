//! Measures over whole stories, in literal time. The fault of most is a blackhole from 3.0 to 11.0 s, keep-alive 2 s.

mod catalogue;
mod detection;
mod expect;
mod firings;
mod muted;
mod recovery;
mod round_trips;
mod tls;
mod together;
mod unread;
mod up;
mod wire;
