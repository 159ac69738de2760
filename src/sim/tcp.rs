//! One end of a TCP connection: what it sends, when it sends that again, and when it gives up.
//!
//! ```text
//!   written:  [ acknowledged | sent once at least | not sent | FIN ]
//!                            ^ una                ^ nxt
//! ```
//!
//! Owns the sequence numbers and timers of one end. Deliberately absent, as it takes more than the few small packets of a
//! device to matter: a window of the receiver, a congestion window but the one segment of a timeout, fast retransmit,
//! selective acknowledgements. What arrives behind a gap is not kept.

use super::scenario::Kernel;
use crate::base::Time;
use crate::base::units::to_u64;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// Bytes of data in a segment at most: an MTU of 1500 less the headers of IPv4 and TCP with time stamps.
pub(super) const MOST_DATA: u32 = 1448;

/// For how long an acknowledgement waits for data to go with (TCP_DELACK_MIN of Linux).
pub(super) const ACK_DELAY: Duration = Duration::from_millis(40);

/// The retransmission timeout before any round trip was seen (RFC 6298 section 2.1).
pub(super) const FIRST_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a connection that its program has closed is sent again (tcp_orphan_retries of 0, which is 8).
const ORPHAN_RETRIES: u32 = 8;

/// How long a closed end that was acknowledged waits for the other's FIN (tcp_fin_timeout).
const FIN_TIMEOUT: Duration = Duration::from_secs(60);

/// A segment under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub kind: Kind,
    /// Whether FIN is behind its data.
    pub fin: bool,
    /// Whether it, or its beginning, was sent before.
    pub again: bool,
    /// Bytes of data.
    pub len: u32,
    /// Where in the stream its data begins.
    pub seq: u64,
    /// Up to where its sender has got the other stream.
    pub ack: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Syn,
    SynAck,
    /// The last of the handshake, without data.
    Third,
    /// Data, FIN, or an acknowledgement alone.
    Plain,
    Rst,
}

/// One end.
#[derive(Debug, Default)]
pub(super) struct Tcp {
    /// What may have to be sent, from `una` on.
    out: VecDeque<u8>,
    /// Bytes given by the program so far.
    written: u64,
    /// FIN is to go behind them, and counts as one.
    fin: bool,
    una: u64,
    nxt: u64,
    /// The end of what was ever sent.
    high: u64,
    /// Up to where the other's stream has come, its FIN counted as one.
    got: u64,
    got_fin: bool,
    /// Smoothed round trip, and its variation.
    rtt: Option<(Duration, Duration)>,
    /// What is timed: its end, and when it was sent.
    timed: Option<(u64, Time)>,
    /// When what is not acknowledged was sent, or last made headway.
    since: Time,
    /// Retransmissions for want of an acknowledgement.
    tries: u32,
    /// The tail loss probe was sent.
    probed: bool,
    /// When to send again.
    due: Option<Time>,
    /// When to acknowledge.
    ack_due: Option<Time>,
    /// Segments of data that wait for that.
    to_ack: u32,
    /// When a closed end forgets the connection.
    forget: Option<Time>,
    orphan: bool,
    gone: bool,
}

/// What a segment brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Brought {
    /// Where in the sender's stream what is new lies.
    pub bytes: Range<u64>,
    pub fin: bool,
    /// Data for a program that has closed: RST is the answer.
    pub unwanted: bool,
}

/// What the time has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    Nothing,
    /// The kernel has given up (ETIMEDOUT).
    TimedOut,
}

/// Where an end's segments go.
pub(super) type Outbox = Vec<Segment>;

impl Tcp {
    /// No socket.
    pub fn nobody() -> Tcp {
        Tcp { gone: true, ..Tcp::default() }
    }

    /// Whether there is a socket.
    pub fn is_there(&self) -> bool {
        !self.gone
    }

    /// Whether its program has let go of it.
    pub fn is_orphan(&self) -> bool {
        self.orphan
    }

    /// Whether FIN was said, or is to be.
    pub fn is_shut(&self) -> bool {
        self.fin
    }

    /// Whether all that was given, FIN too, is acknowledged.
    pub fn is_settled(&self) -> bool {
        self.una == self.written + u64::from(self.fin)
    }

    /// Bytes that are not acknowledged.
    pub fn waiting(&self) -> usize {
        self.out.len()
    }

    /// A round trip was seen.
    pub fn saw_round_trip(&mut self, took: Duration) {
        self.rtt = Some(match self.rtt {
            None => (took, took / 2),
            // RFC 6298 section 2.3: an eighth and a quarter of what is new.
            Some((smooth, varies)) => {
                let off = smooth.abs_diff(took);
                ((smooth * 7 + took) / 8, (varies * 3 + off) / 4)
            }
        });
    }

    /// The retransmission timeout, as Linux has it: the variation counts for no less than the least timeout.
    pub fn timeout(&self, kernel: &Kernel) -> Duration {
        let Some((smooth, varies)) = self.rtt else { return FIRST_TIMEOUT.max(kernel.least_timeout) };
        (smooth + (varies * 4).max(kernel.least_timeout)).min(kernel.most_timeout)
    }

    /// The program gives bytes.
    pub fn write(&mut self, now: Time, bytes: &[u8], kernel: &Kernel, out: &mut Outbox) {
        if self.fin || self.gone {
            return;
        }
        self.out.extend(bytes);
        self.written += to_u64(bytes.len());
        self.send(now, kernel, out);
    }

    /// FIN, behind what was given.
    pub fn shut(&mut self, now: Time, kernel: &Kernel, out: &mut Outbox) {
        if !self.gone {
            self.fin = true;
            self.send(now, kernel, out);
        }
    }

    /// The program lets go: FIN, and the kernel sees to the rest.
    pub fn close(&mut self, now: Time, kernel: &Kernel, out: &mut Outbox) {
        self.orphan = true;
        self.shut(now, kernel, out);
        self.look_over(now);
    }

    /// RST, and gone.
    pub fn reset(&mut self, out: &mut Outbox) {
        if !self.gone {
            out.push(self.segment(Kind::Rst, self.nxt));
            self.vanish();
        }
    }

    /// Gone without a word.
    pub fn vanish(&mut self) {
        (self.gone, self.due, self.ack_due, self.forget) = (true, None, None, None);
        // What is under way is still read from here, until the path is forgotten.
    }

    /// The bytes of a stretch of what it has sent, appended.
    pub fn read(&self, stretch: Range<u64>, into: &mut Vec<u8>) {
        let base = self.una.min(self.written);
        let place = |at: u64| usize::try_from(at.saturating_sub(base)).unwrap_or(usize::MAX);
        let (from, to) = (place(stretch.start).min(self.out.len()), place(stretch.end).min(self.out.len()));
        let (front, back) = self.out.as_slices();
        let split = front.len();
        into.extend_from_slice(&front[from.min(split)..to.min(split)]);
        into.extend_from_slice(&back[from.max(split) - split..to.max(split) - split]);
    }

    /// Takes in a segment of the other end; RST is not for here.
    pub fn receive(&mut self, now: Time, segment: &Segment, ack_delay: Duration, kernel: &Kernel) -> Brought {
        self.acknowledged(now, segment.ack, kernel);
        let (begin, end) = (segment.seq, segment.seq + u64::from(segment.len));
        if segment.len == 0 && !segment.fin {
            return Brought::default();
        }
        let old = end + u64::from(segment.fin) <= self.got;
        if old || begin > self.got {
            // What was said before, or behind a gap, is acknowledged at once.
            self.ack_due = Some(now);
            return Brought::default();
        }
        let bytes = self.got..end;
        if self.orphan && !bytes.is_empty() {
            return Brought { bytes, fin: false, unwanted: true };
        }
        self.got = end + u64::from(segment.fin);
        self.got_fin |= segment.fin;
        self.look_over(now);
        self.to_ack += 1;
        let is_now = segment.fin || self.to_ack > 1 && segment.len == MOST_DATA;
        let at = if is_now { now } else { now + ack_delay };
        self.ack_due = Some(self.ack_due.map_or(at, |before| before.min(at)));
        Brought { bytes, fin: segment.fin, unwanted: false }
    }

    fn acknowledged(&mut self, now: Time, ack: u64, kernel: &Kernel) {
        if ack <= self.una {
            return;
        }
        let base = self.una.min(self.written);
        let done = usize::try_from(ack.min(self.written) - base).unwrap_or(usize::MAX);
        self.out.drain(..done.min(self.out.len()));
        self.una = ack;
        if let Some((_, sent)) = self.timed.take_if(|(end, _)| *end <= ack) {
            self.saw_round_trip(now.since(sent));
        }
        if self.tries > 0 {
            // All that was under way is taken for lost.
            self.nxt = ack;
        }
        (self.tries, self.probed) = (0, false);
        self.nxt = self.nxt.max(ack);
        self.since = now;
        self.due = (self.una < self.nxt).then(|| now + self.timeout(kernel));
        self.look_over(now);
    }

    /// Sends what may go now.
    pub fn send(&mut self, now: Time, kernel: &Kernel, out: &mut Outbox) {
        if self.gone {
            return;
        }
        let whole = self.written + u64::from(self.fin);
        while self.tries == 0 && self.nxt < whole {
            let segment = self.piece(self.nxt);
            self.nxt += u64::from(segment.len) + u64::from(segment.fin);
            if self.timed.is_none() && !segment.again {
                self.timed = Some((self.nxt, now));
            }
            self.put(segment, out);
        }
        if self.due.is_none() && self.una < self.nxt {
            self.since = now;
            self.due = Some(self.bounded(now + self.timeout(kernel), kernel));
        }
        if self.ack_due.is_some_and(|at| at <= now) {
            self.put(self.segment(Kind::Plain, self.nxt), out);
        }
    }

    fn put(&mut self, segment: Segment, out: &mut Outbox) {
        // Each says how far the other stream has come.
        (self.ack_due, self.to_ack) = (None, 0);
        self.high = self.high.max(segment.seq + u64::from(segment.len) + u64::from(segment.fin));
        out.push(segment);
    }

    /// The segment that begins there.
    fn piece(&self, seq: u64) -> Segment {
        let left = self.written.saturating_sub(seq);
        let len = u32::try_from(left).unwrap_or(u32::MAX).min(MOST_DATA);
        let fin = self.fin && u64::from(len) == left;
        Segment { len, fin, again: seq < self.high, ..self.segment(Kind::Plain, seq) }
    }

    /// One without data.
    pub fn segment(&self, kind: Kind, seq: u64) -> Segment {
        Segment { kind, fin: false, again: false, len: 0, seq, ack: self.got }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time, kernel: &Kernel, out: &mut Outbox) -> Overdue {
        if self.gone {
            return Overdue::Nothing;
        }
        if self.forget.is_some_and(|at| at <= now) {
            self.send(now, kernel, out);
            self.vanish();
            return Overdue::Nothing;
        }
        if self.due.is_some_and(|at| at <= now) && self.repeat(now, kernel, out) == Overdue::TimedOut {
            self.vanish();
            return Overdue::TimedOut;
        }
        self.send(now, kernel, out);
        Overdue::Nothing
    }

    fn repeat(&mut self, now: Time, kernel: &Kernel, out: &mut Outbox) -> Overdue {
        if kernel.tail_probe && !self.probed && self.tries == 0 {
            // Goes in the place of the first timeout, and doubles nothing.
            (self.probed, self.since) = (true, now);
        } else if now.since(self.since) >= self.patience(kernel) {
            return Overdue::TimedOut;
        } else {
            self.tries += 1;
        }
        self.timed = None;
        let mut segment = self.piece(self.una);
        // What was never sent stays where it is.
        let sent = self.nxt - self.una;
        segment.fin &= u64::from(segment.len) < sent;
        segment.len = segment.len.min(u32::try_from(sent).unwrap_or(u32::MAX));
        self.put(segment, out);
        let wait = self.timeout(kernel).saturating_mul(1 << self.tries.min(31)).min(kernel.most_timeout);
        self.due = Some(self.bounded(now + wait, kernel));
        Overdue::Nothing
    }

    /// For how long nothing need be acknowledged before the kernel gives up.
    fn patience(&self, kernel: &Kernel) -> Duration {
        match kernel.user_timeout {
            Some(timeout) => timeout,
            None if self.orphan => kernel.patience(ORPHAN_RETRIES),
            None => kernel.patience(kernel.retries),
        }
    }

    /// A user timeout is looked at when it is over, not at the next retransmission.
    fn bounded(&self, at: Time, kernel: &Kernel) -> Time {
        let probing = kernel.tail_probe && !self.probed;
        match kernel.user_timeout {
            Some(timeout) if !probing => at.min(self.since + timeout),
            Some(_) | None => at,
        }
    }

    /// A closed end whose FIN was acknowledged needs no more than the other's.
    fn look_over(&mut self, now: Time) {
        let is_told = self.fin && self.una == self.written + 1;
        if !self.orphan || !is_told || self.gone {
            return;
        }
        self.forget = Some(if self.got_fin { now } else { now + FIN_TIMEOUT });
    }

    /// When [`Tcp::tick`] is wanted.
    pub fn deadline(&self) -> Option<Time> {
        [self.due, self.ack_due, self.forget].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When one end that nobody answers sends, and when it gives up; by a least timeout of 200 ms.
    fn alone(kernel: &Kernel, rtt: Duration, fin_at: Option<Time>) -> (Vec<(Time, u32, bool)>, Time) {
        let (mut tcp, mut out, mut sent) = (Tcp::default(), Outbox::new(), Vec::new());
        tcp.saw_round_trip(rtt);
        tcp.write(Time::ZERO, &[0; 2], kernel, &mut out);
        let mut now = Time::ZERO;
        let mut fin_at = fin_at;
        loop {
            sent.extend(out.drain(..).map(|segment| (now, segment.len, segment.fin)));
            now = tcp.deadline().unwrap();
            if let Some(at) = fin_at.take_if(|at| *at < now) {
                now = at;
                tcp.close(now, kernel, &mut out);
            } else if tcp.tick(now, kernel, &mut out) == Overdue::TimedOut {
                return (sent, now);
            }
        }
    }

    #[test]
    fn linux_gives_up_after_924_6_s_as_its_documentation_has_it() {
        let (sent, gone) = alone(&Kernel { tail_probe: false, ..Kernel::LINUX }, Duration::ZERO, None);
        assert_eq!(gone, Time::from_millis(924_600));
        assert_eq!(sent.len(), 1 + 15, "tcp_retries2");
        let (_, gone) = alone(&Kernel::LINUX, Duration::ZERO, None);
        assert_eq!(gone, Time::from_millis(924_800), "behind the probe");
    }

    /// Measured on Linux 6.18 (net/sys/mute.rs): a path dark for 0.5, 1 and 8 s brings what was sent into it 0.34, 0.66 and
    /// 5.3 s later.
    #[test]
    fn data_comes_back_when_linux_was_seen_to_send_it_again() {
        let (sent, _) = alone(&Kernel::LINUX, Duration::from_millis(8), None);
        for (dark, seen) in [(500, 340), (1_000, 660), (8_000, 5_300)] {
            let back = sent.iter().find(|(at, ..)| *at > Time::from_millis(dark)).unwrap().0;
            let late = back.since(Time::from_millis(dark));
            let error = late.abs_diff(Duration::from_millis(seen));
            assert!(error <= Duration::from_millis(20), "{dark}: {late:?}");
        }
    }

    #[test]
    fn a_fin_goes_at_once_before_the_first_timeout_and_not_after_it() {
        let ms = Time::from_millis;
        let (sent, gone) = alone(&Kernel::LINUX, Duration::ZERO, Some(ms(100)));
        assert_eq!(sent[..3], [(ms(0), 2, false), (ms(100), 0, true), (ms(200), 2, true)]);
        assert!(gone > ms(102_200) && gone < ms(206_000), "an orphan has 8 retries: {gone}");
        let (sent, _) = alone(&Kernel::LINUX, Duration::ZERO, Some(ms(1_000)));
        assert!(sent.iter().all(|(_, _, fin)| !fin), "it waits for the acknowledgement");
    }

    #[test]
    fn what_comes_twice_is_taken_once_and_acknowledged_at_once() {
        let kernel = Kernel::LINUX;
        let (mut a, mut b) = (Tcp::default(), Tcp::default());
        let mut out = Outbox::new();
        a.write(Time::ZERO, b"hello", &kernel, &mut out);
        let segment = out.remove(0);
        assert_eq!(b.receive(Time::ZERO, &segment, ACK_DELAY, &kernel).bytes, 0..5);
        assert_eq!(b.deadline(), Some(Time::ZERO + ACK_DELAY));
        assert_eq!(b.receive(Time::ZERO, &segment, ACK_DELAY, &kernel), Brought::default());
        assert_eq!(b.deadline(), Some(Time::ZERO));
        let mut read = Vec::new();
        a.read(0..5, &mut read);
        assert_eq!(read, b"hello");
        b.send(Time::ZERO, &kernel, &mut out);
        a.receive(Time::ZERO, &out[0], ACK_DELAY, &kernel);
        assert!(a.is_settled() && a.deadline().is_none());
    }
}
