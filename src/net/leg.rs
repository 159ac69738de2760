//! One leg of a link: a TCP connection, TLS of brownout's own on it or not, and what it has been through.

mod ingress;
mod outlet;
#[cfg(test)]
mod rig;
mod secure;
mod shaking;
#[cfg(test)]
mod tests;
mod traffic;
mod unheard;
mod wire;

pub use ingress::{Answer, Ingress};
pub use outlet::Outlet;
pub use secure::{Failure, Got, Secure, Step, Terms};
pub use unheard::{Heard, Written};
pub use wire::Wire;

use super::capture::Tap;
use super::sys::info::{TcpState, tcp_info};
use super::sys::segment::Segment;
use crate::base::Chance;
use crate::base::units::to_u64;
use crate::event::Dropped;
use crate::fault::{Ending, Harm, LegFate};
use crate::session::ledger::Entry;
use crate::tls::harm::truncated;
use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use unheard::Unheard;

/// One leg of a link.
#[derive(Debug, Default)]
pub struct Leg {
    wire: Wire,
    secure: Option<Box<Secure>>,
    /// TLS that is passed through: where its records are.
    passed: Option<Box<Outlet>>,
    /// What the kernel drops of what comes.
    ingress: Ingress,
    /// More may come from the peer.
    pub reading: bool,
    /// More may be sent to the peer.
    pub writing: bool,
    /// A fault has cut the leg off: what comes is thrown away.
    pub severed: bool,
    /// The peer's giving up has been told.
    pub end_told: bool,
    /// A damaged record was sent to the peer: what comes in it, and after it, it cannot read.
    pub harmed: bool,
    /// A write has shown that the peer is gone. What it said before is still read.
    pub broken: bool,
    /// FIN is to be said once all that was said before has been sent.
    shutting: bool,
    /// FIN was said, and waits behind what the peer does not take.
    fin_waits: bool,
    /// A fault has closed it, and it is heard out.
    lingering: bool,
    /// A fault has parked it, and it is reset once its peer sends something.
    trap: bool,
    /// A message or an acknowledgement was written to it, of which nothing but its peer's TCP tells whether it was received.
    pub carried: bool,
    /// How many bytes the peer had not acknowledged when the socket went, of a leg that carried such.
    left: u64,
    /// It ended by a reset. What the peer's system acknowledged its program may not have read: Linux resets where one closes a
    /// connection with bytes unread, and a program that is told of a reset seldom reads on. When that was.
    pub was_reset: Option<Instant>,
    /// What was written to the peer though it had given up.
    unheard: Option<Box<Unheard>>,
    /// What passes goes into a capture.
    tap: Option<Box<Tap>>,
}

impl Leg {
    /// A leg over a connected socket.
    pub fn connected(stream: TcpStream, ttl: Option<u8>) -> Leg {
        let (wire, ingress) = (Wire::connected(stream), Ingress::new(ttl));
        Leg { wire, ingress, reading: true, writing: true, ..Leg::default() }
    }

    /// The same, with what passes written to a capture, where there is one.
    pub fn tapped(self, tap: Option<Tap>) -> Leg {
        Leg { tap: tap.map(Box::new), ..self }
    }

    /// A leg with TLS on it, which nothing is sent to before the handshake is done.
    pub fn secured(self, secure: Secure) -> Leg {
        Leg { secure: Some(Box::new(secure)), writing: false, ..self }
    }

    /// Whether there is a socket.
    pub fn is_open(&self) -> bool {
        self.wire.is_open()
    }

    /// Whether bytes come and go as they are, with nothing to be said or heard but them.
    pub fn is_open_plainly(&self) -> bool {
        self.wire.is_open()
            && self.reading
            && self.writing
            && self.secure.is_none()
            && !(self.severed || self.broken || self.shutting || self.lingering)
    }

    /// Whether nothing can come or go any more.
    pub fn is_over(&self) -> bool {
        !self.wire.is_open() || (!self.reading && !self.writing && !self.shutting && !self.is_unheard())
    }

    /// Whether a TLS handshake is still to be done.
    pub fn is_shaking(&self) -> bool {
        self.wire.is_open() && !self.severed && self.secure.as_ref().is_some_and(|secure| secure.is_shaking())
    }

    /// Whether it has TLS of brownout's own.
    pub fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// Whether the kernel drops what the peer sends.
    pub fn is_mute(&self) -> bool {
        self.ingress.is_mute()
    }

    /// TLS on it, if it is brownout's own.
    pub fn secure(&mut self) -> Option<&mut Secure> {
        self.secure.as_deref_mut()
    }

    /// The address of this machine that the peer sees.
    pub fn local_ip(&self) -> Option<IpAddr> {
        self.wire.local_ip()
    }

    /// TLS is passed through here: its records are followed from now on.
    pub fn follow_records(&mut self) {
        self.passed.get_or_insert_default();
    }

    /// Goes on with the TLS handshake.
    pub fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let Some(secure) = &mut self.secure else { return Poll::Pending };
        let step = ready!(secure.poll_handshake(cx, &mut self.wire));
        if matches!(step, Step::Up(_)) && !self.shutting {
            self.writing = !self.wire.is_shut();
        }
        if let (Some(tap), Step::Ended(how, _)) = (&mut self.tap, &step) {
            tap.peer_ended(*how);
        }
        Poll::Ready(step)
    }

    /// Whether the kernel is to note when what is read came, and how long ago it was for what was read last.
    pub fn stamp(&mut self, wanted: bool) {
        self.wire.stamp(wanted);
    }

    /// How long before it was read the last of what was read last had come, where the kernel has noted that.
    pub fn ago(&self) -> Option<Duration> {
        self.wire.ago()
    }

    /// Reads what is there.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Got> {
        let got = self.poll_got(cx, buffer);
        if let Poll::Ready(got) = &got {
            self.tap_read(got, buffer);
        }
        got
    }

    /// Reads what is known to follow what was read last; without TLS of brownout's own.
    pub fn read_known(&mut self, buffer: &mut [u8]) -> Option<Got> {
        let got = got(self.wire.read_known(buffer)?);
        self.tap_read(&got, buffer);
        Some(got)
    }

    fn tap_read(&mut self, got: &Got, buffer: &[u8]) {
        let Some(tap) = &mut self.tap else { return };
        match got {
            // Of sealed bytes that nobody opens any more, there is nothing to tell.
            Got::Bytes(_) if self.severed && self.secure.is_some() => {}
            Got::Bytes(count) => tap.heard(&buffer[..*count], self.secure.is_some()),
            Got::Ended(how, _) => tap.peer_ended(*how),
            Got::Failed(_) => {}
        }
    }

    fn poll_got(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Got> {
        if let Some(secure) = self.secure.as_mut().filter(|_| !self.severed) {
            return secure.poll_read(cx, &mut self.wire, buffer);
        }
        self.wire.poll_read(cx, buffer).map(got)
    }

    /// Writes what the peer takes at once.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.poll_send(cx, bytes);
        if let (Some(tap), Poll::Ready(Ok(count))) = (&mut self.tap, &written) {
            tap.told(&bytes[..*count], self.secure.is_some());
        }
        written
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = &mut self.wire;
        match (&mut self.secure, &mut self.passed) {
            (Some(secure), _) => secure.poll_write(cx, wire, bytes),
            (None, None) => wire.poll_write(cx, bytes),
            (None, Some(outlet)) => {
                let taken = |sent: &Poll<io::Result<usize>>| match sent {
                    Poll::Ready(Ok(count)) => *count,
                    Poll::Ready(Err(_)) | Poll::Pending => 0,
                };
                outlet.pass(bytes, |bytes| wire.poll_write(cx, bytes), taken)
            }
        }
    }

    /// As [`Leg::poll_write`], and what goes is a segment of its own, or with TLS a record.
    pub fn poll_write_alone(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.wire.segment(Segment::Alone);
        let written = self.poll_write(cx, bytes);
        self.wire.segment(Segment::Any);
        written
    }

    /// What is written from now on is the last before FIN, and goes in its segment; or no more, and what FIN did not follow
    /// goes now. Without TLS of brownout's own.
    pub fn write_last(&mut self, is_last: bool) {
        self.wire.segment(if is_last { Segment::WithNext } else { Segment::Any });
        if !is_last {
            self.wire.push();
        }
    }

    /// Sends what TLS has said and the peer has not taken, and the FIN that waits behind it. True if something moved.
    ///
    /// # Errors
    /// The system's.
    pub fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let Some(secure) = self.secure.as_mut().filter(|_| !self.broken) else { return Ok(false) };
        let waited = secure.is_flushing();
        if waited {
            secure.flush(cx, &mut self.wire)?;
        }
        if self.shutting && !secure.is_flushing() {
            self.shutting = false;
            self.say_fin();
            return Ok(true);
        }
        Ok(waited && !secure.is_flushing())
    }

    /// Whether a record was damaged, as asked, and sent since this was last asked.
    pub fn take_harmed(&mut self) -> bool {
        let secure = self.secure.as_mut().map(|secure| secure.outlet());
        secure.or(self.passed.as_deref_mut()).is_some_and(Outlet::take_harmed)
    }

    /// Damages the next record of application data that is sent here; not yet where there is no TLS, or a handshake of
    /// brownout's own is to be done, which hides in such records too.
    pub fn harm(&mut self, harm: Harm) {
        let outlet = match &mut self.secure {
            Some(secure) => Some(secure.as_mut()).filter(|secure| secure.is_up()).map(Secure::outlet),
            None => self.passed.as_deref_mut(),
        };
        if let Some(outlet) = outlet {
            outlet.harm(harm.damage);
        }
    }

    /// After the peer's FIN, while it may still be written to: whether the connection is gone all the same. Wakes the
    /// task when that changes.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let gone = self.wire.poll_gone(cx);
        if let (Some(tap), Poll::Ready(())) = (&mut self.tap, &gone) {
            tap.peer_ended(Ending::Reset);
        }
        gone
    }

    /// While nothing is read: whether the peer has hung up all the same. Wakes the task when that changes.
    pub fn poll_hang_up(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let hung_up = self.wire.poll_hang_up(cx);
        match (&mut self.tap, &hung_up) {
            (Some(tap), Poll::Ready(Ending::Reset)) => tap.peer_ended(Ending::Reset),
            (Some(tap), Poll::Ready(Ending::Fin | Ending::Unnotified | Ending::Alert | Ending::WsClose)) => {
                tap.peer_hung_up()
            }
            (Some(_), Poll::Pending) | (None, _) => {}
        }
        hung_up
    }

    /// Says FIN: the peer hears no more, but may go on speaking. With TLS, close_notify goes before it if `notify`.
    pub fn shut(&mut self, notify: bool) {
        self.writing = false;
        match &mut self.secure {
            None => self.say_fin(),
            Some(secure) => {
                if notify && !self.wire.is_shut() && !self.shutting {
                    secure.close_notify();
                }
                secure.flush_now(&mut self.wire);
                self.shutting = secure.is_flushing();
                if !self.shutting {
                    self.say_fin();
                }
            }
        }
    }

    fn say_fin(&mut self) {
        // To close says FIN as well, where nothing is left to be read: only then, or it would say RST.
        let is_all = !self.reading && self.secure.is_none() && self.tap.is_none() && !self.is_unheard();
        if is_all {
            self.note_left(false);
            self.wire.close()
        } else {
            self.wire.shut()
        }
        if let Some(tap) = &mut self.tap {
            tap.shut();
        }
    }

    /// Says RST, at once. The socket is gone then.
    pub fn reset(&mut self) {
        if let Some(tap) = self.tap.as_mut().filter(|_| self.wire.is_open()) {
            tap.reset();
        }
        if self.wire.is_open() {
            self.was_reset.get_or_insert_with(Instant::now);
        }
        self.hear_last(true);
        if let Some(stream) = self.wire.stream() {
            self.ingress.count(stream);
        }
        self.wire.reset();
        self.reading = false;
        self.writing = false;
    }

    /// Lets the socket go without ceremony.
    pub fn drop_socket(&mut self) {
        // With it the tap goes, and says so.
        self.tap = None;
        self.hear_last(false);
        if let Some(stream) = self.wire.stream() {
            self.ingress.count(stream);
        }
        self.wire.drop_socket();
        self.reading = false;
        self.writing = false;
    }

    /// Whether what was written waits in TLS for the peer to take it.
    pub fn is_flushing(&self) -> bool {
        self.secure.as_ref().is_some_and(|secure| secure.is_flushing())
    }

    /// Brings the leg to this fate, for a fault; `words` are said before the FIN, where the fate has any. What was done, or
    /// `None` where it had gone before.
    pub fn cut(&mut self, fate: LegFate, words: &[u8]) -> Option<LegFate> {
        if self.is_over() || self.broken {
            self.drop_socket();
            return None;
        }
        // A FIN is said once: what an end or an earlier fault has said is not this one's.
        let had_said = self.wire.is_shut() || self.shutting;
        let done = match fate {
            LegFate::Reset => {
                self.reset();
                Some(LegFate::Reset)
            }
            LegFate::HalfOpen | LegFate::ResetWhenSends => {
                self.writing = false;
                self.trap = fate == LegFate::ResetWhenSends;
                Some(fate)
            }
            LegFate::Close
            | LegFate::Unnotified
            | LegFate::Alert(_)
            | LegFate::Truncated
            | LegFate::Rejected(_)
            | LegFate::Disconnected(_) => {
                // Behind a FIN there are no last words.
                let said = if had_said { fate } else { self.last_words(fate, words) };
                let notify = matches!(said, LegFate::Close | LegFate::Rejected(_) | LegFate::Disconnected(_));
                self.shut(notify);
                self.lingering = true;
                Some(said).filter(|_| !had_said)
            }
        };
        self.severed = true;
        done
    }

    /// What goes before the FIN of a cut; what that makes of it.
    fn last_words(&mut self, fate: LegFate, words: &[u8]) -> LegFate {
        match (&mut self.secure, fate) {
            (_, LegFate::Rejected(_) | LegFate::Disconnected(_)) => {
                if self.say(words) {
                    fate
                } else {
                    LegFate::Close
                }
            }
            (Some(secure), LegFate::Alert(alert)) => {
                if secure.alert(alert) {
                    return fate;
                }
                LegFate::Unnotified
            }
            (Some(secure), LegFate::Truncated) if secure.is_up() => {
                if !secure.outlet().is_amid_record() {
                    secure.outlet().disarm();
                    secure.outlet().push(truncated());
                }
                fate
            }
            (Some(_), LegFate::Unnotified | LegFate::Truncated) => LegFate::Unnotified,
            (None, LegFate::Truncated) => self.truncate_passed(),
            (_, _) => LegFate::Close,
        }
    }

    /// Says this at once. False where the peer does not take all of it.
    fn say(&mut self, words: &[u8]) -> bool {
        if words.is_empty() || !self.writing {
            return false;
        }
        let (said, count) = match &mut self.secure {
            Some(secure) => (secure.say(words), words.len()),
            None => {
                let sent = self.wire.write_now(words).unwrap_or(0);
                (sent == words.len(), sent)
            }
        };
        if let Some(tap) = self.tap.as_mut().filter(|_| said || self.secure.is_none()) {
            tap.told(&words[..count], self.secure.is_some());
        }
        said
    }

    /// Part of a record to a peer whose TLS is passed through; a FIN alone, where nothing of the kind is under way.
    fn truncate_passed(&mut self) -> LegFate {
        let Some(outlet) = self.passed.as_ref().filter(|outlet| outlet.is_of_records()) else {
            return LegFate::Close;
        };
        // The header and a byte of its content have to go; a peer that is gone is told by reading.
        let begun = outlet.is_amid_record() || self.wire.write_now(truncated()).is_ok_and(|sent| sent > 5);
        if begun { LegFate::Truncated } else { LegFate::Close }
    }

    /// Says an alert in the place of all else, then FIN. False where it could not be said.
    pub fn alert(&mut self, alert: crate::tls::Alert) -> bool {
        let said = self.secure.as_mut().is_some_and(|secure| secure.alert(alert));
        self.shut(false);
        self.lingering = true;
        self.severed = true;
        said
    }

    /// It is over: what TLS has to say of that goes, then FIN, and what still comes is heard out.
    pub fn end(&mut self) {
        self.shut(false);
        self.lingering = true;
        self.severed = true;
    }

    /// It has been heard out for long enough, if a fault closed it.
    pub fn linger_over(&mut self) {
        if self.lingering || self.waits_to_be_heard() {
            self.drop_socket();
        }
    }

    /// The socket.
    pub fn stream(&self) -> Option<&TcpStream> {
        self.wire.stream()
    }

    /// Mutes the leg or lets it hear again, as wanted; the mechanism where it is mute now.
    ///
    /// `None` where there is no socket, or nothing was wanted and nothing had been done.
    pub fn mute(&mut self, wanted: bool) -> Answer {
        self.ingress.mute(self.wire.stream()?, wanted)
    }

    /// Makes the kernel lose segments of the peer with this chance, or none; after [`Leg::mute`].
    ///
    /// `None` as there.
    pub fn lose(&mut self, wanted: Option<Chance>) -> Answer {
        self.ingress.lose(self.wire.stream()?, wanted)
    }

    /// What the kernel has dropped of what the peer sent, as far as it has not been told, and if it was asked to.
    pub fn take_dropped(&mut self) -> Option<Dropped> {
        self.ingress.take_dropped(self.wire.stream())
    }

    /// How many bytes that were written here have not been sent yet, in TLS or in the kernel; a FIN is one.
    pub fn unsent(&self) -> u64 {
        let sealed = self.secure.as_ref().map_or(0, |secure| secure.waiting());
        let in_kernel = self.wire.stream().and_then(|stream| tcp_info(stream).ok());
        to_u64(sealed) + in_kernel.map_or(0, |info| u64::from(info.unsent_bytes))
    }

    /// FIN was just said: how many bytes of the stream have not been sent, itself among them, where it has to wait.
    pub fn fin_said(&mut self) -> Option<u64> {
        let unsent =
            Some(self.unsent()).filter(|unsent| *unsent > 0 && (self.wire.is_shut() || self.shutting));
        self.fin_waits = unsent.is_some();
        unsent
    }

    /// Whether a FIN that had to wait still does; else, whether it has been sent. `None` where none had to, and of a connection
    /// that is gone before it was.
    pub fn fin_waits(&mut self) -> Option<Poll<()>> {
        if !std::mem::take(&mut self.fin_waits) {
            return None;
        }
        let info = tcp_info(self.wire.stream()?).ok()?;
        if self.unsent() == 0 && !self.shutting {
            return Some(Poll::Ready(()));
        }
        self.fin_waits = info.state != TcpState::Closed;
        self.fin_waits.then_some(Poll::Pending)
    }

    /// So many bytes were written to a peer that had given up, and this is to be written down once it has them.
    pub fn await_heard(&mut self, bytes: usize, entries: Vec<Entry>) {
        let sealed = self.secure.as_ref().map_or(0, |secure| secure.waiting());
        let end = self.wire.written() + to_u64(sealed);
        self.unheard.get_or_insert_default().push(Written { bytes, entries, end });
    }

    /// What has come to be known of that since this was last asked, in order.
    pub fn take_heard(&mut self) -> Vec<(Heard, Written)> {
        let Some(unheard) = &mut self.unheard else { return Vec::new() };
        if let Some(acknowledged) = self.wire.acknowledged().filter(|_| unheard.is_waiting()) {
            unheard.see(acknowledged);
        }
        unheard.take()
    }

    /// Whether all else is over, and the peer has not acknowledged all of it.
    pub fn waits_to_be_heard(&self) -> bool {
        self.wire.is_open() && !self.reading && !self.writing && self.is_unheard()
    }

    fn is_unheard(&self) -> bool {
        self.unheard.as_ref().is_some_and(|unheard| unheard.is_waiting())
    }

    /// The socket goes, by RST of ours if `resets`: what it has to say of that is heard now.
    pub fn hear_last(&mut self, resets: bool) {
        self.note_left(resets);
        let Some(unheard) = self.unheard.as_mut().filter(|unheard| unheard.is_waiting()) else { return };
        if let Some(acknowledged) = self.wire.acknowledged() {
            unheard.see(acknowledged);
        }
        unheard.give_up();
    }

    /// `resets`: what is under way is not sent again.
    fn note_left(&mut self, resets: bool) {
        if !self.carried {
            return;
        }
        let Some(unacked) = self.wire.unacknowledged() else { return };
        let goes_on = || !resets && !self.is_mute() && self.wire.stream().is_some_and(is_well);
        let (unacked, sealed) = match unacked {
            // An acknowledgement may take its time: on a connection that is well, the kernel sees to what was sent.
            1.. if goes_on() => (0, self.unsent()),
            unacked => (unacked, self.secure.as_ref().map_or(0, |secure| to_u64(secure.waiting()))),
        };
        // What is waited for has books of its own.
        let later = self.unheard.as_ref().map_or(0, |unheard| unheard.bytes());
        self.left = (unacked + sealed).saturating_sub(later);
    }

    /// How many bytes that were written had not been acknowledged when the socket went, but for those that
    /// [wait to be heard](Leg::await_heard).
    pub fn take_left(&mut self) -> u64 {
        std::mem::take(&mut self.left)
    }

    /// Whether FIN could be said to a peer that has heard none.
    pub fn can_hear(&self) -> bool {
        self.wire.is_open() && self.writing && !self.severed && !self.broken
    }

    /// Whether the peer is to be reset now that it has sent something.
    pub fn is_trap(&self) -> bool {
        self.trap
    }
}

/// Whether both ends are there, and what is sent gets through.
fn is_well(stream: &TcpStream) -> bool {
    tcp_info(stream)
        .is_ok_and(|info| info.state == TcpState::Established && info.retransmits == 0 && info.probes == 0)
}

/// What a read of a leg without TLS has brought.
fn got(result: io::Result<usize>) -> Got {
    match result {
        Ok(0) => Got::Ended(Ending::Fin, None),
        Ok(count) => Got::Bytes(count),
        Err(error) => {
            let (how, word) = ending_of(&error);
            Got::Ended(how, word)
        }
    }
}

/// How a failed read or write shows the peer's end, and the system's word where it was not RST from the wire.
pub fn ending_of(error: &io::Error) -> (Ending, Option<String>) {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => (Ending::Reset, None),
        _ => (Ending::Reset, Some(error.to_string())),
    }
}
