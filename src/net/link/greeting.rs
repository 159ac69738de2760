//! The TLS handshakes of a link: with the device as its server, with the hub as its client, and what a fault makes of
//! them.

use super::{Dial, FIN_LINGER, Link};
use crate::base::{Direction, Side, Time, time};
use crate::engine::{Granted, Input};
use crate::event::TlsUp;
use crate::fault::{BadCertificate, Ending, HandshakeFault, HandshakeStage};
use crate::net::leg::{Failure, Secure, Step, Terms as Agreed};
use crate::net::tls::names::{Certificate, explain};
use crate::net::tls::{Ask, HubTls, TlsError};
use crate::tls::Alert;
use crate::tls::hello::ClientHello;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, Ipv4Addr};
use std::task::{Context, Poll};
use std::time::Duration;

/// How long an end has taken for its part of a handshake.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    since: Time,
    /// For how long faults and the other leg made it wait.
    waited: Duration,
    /// Since when they do.
    waiting: Option<Time>,
}

impl Patience {
    fn new(now: Time) -> Patience {
        Patience { since: now, waited: Duration::ZERO, waiting: None }
    }

    fn wait(&mut self, now: Time) {
        self.waiting.get_or_insert(now);
    }

    fn go_on(&mut self, now: Time) {
        if let Some(since) = self.waiting.take() {
            self.waited += now.since(since);
        }
    }

    fn took(&self, now: Time) -> Duration {
        now.since(self.since).saturating_sub(self.waited)
    }

    /// When it is at its end, unless the end is made to wait.
    fn deadline(&self, limit: Duration) -> Option<Time> {
        self.waiting.is_none().then(|| self.since + self.waited + limit)
    }
}

/// The handshake with the device, until it is done.
#[derive(Debug)]
pub(super) struct Greeting {
    stage: Stage,
    /// From the device's ClientHello on; before, from when it was accepted.
    patience: Patience,
    /// The fault in force on it.
    fault: Option<HandshakeFault>,
    /// What was made of the handshake is still to be confirmed.
    unconfirmed: Option<(u64, Granted)>,
    /// What is wrong with the certificate that was shown.
    flaw: Option<BadCertificate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Hello,
    Asked,
    Answered,
    /// ServerHello was sent, and no more.
    Greeted,
    /// The server's first flight was sent.
    Flown,
}

impl Greeting {
    pub(super) fn new(now: Time) -> Greeting {
        Greeting {
            stage: Stage::Hello,
            patience: Patience::new(now),
            fault: None,
            unconfirmed: None,
            flaw: None,
        }
    }

    /// Whether a fault keeps it silent.
    fn is_stalled(&self) -> bool {
        match self.fault {
            Some(HandshakeFault::Stall(HandshakeStage::BeforeServerHello)) => self.stage == Stage::Asked,
            Some(HandshakeFault::Stall(HandshakeStage::AfterServerHello)) => self.stage == Stage::Greeted,
            Some(HandshakeFault::Abort(_) | HandshakeFault::Alert(_) | HandshakeFault::Certificate(_))
            | None => false,
        }
    }
}

impl Link {
    /// Goes on with the handshakes.
    pub(super) fn poll_tls(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        for side in Side::BOTH {
            moved |= self.send_on(cx, side);
        }
        moved | self.greet(cx) | self.meet_hub(cx)
    }

    /// When a handshake is to be given up.
    pub(super) fn handshake_deadline(&self) -> Option<Time> {
        let limit = self.terms.patience;
        let device = self.greeting.as_ref().and_then(|greeting| greeting.patience.deadline(limit));
        let hub = self.hub_patience.filter(|_| self.legs.hub.is_shaking());
        device.into_iter().chain(hub.and_then(|patience| patience.deadline(limit))).min()
    }

    /// A fault on the handshake is in force, or none is. True if it is confirmed later, once it has come about.
    pub(super) fn fault_handshake(
        &mut self,
        fault: Option<HandshakeFault>,
        generation: u64,
        granted: &Granted,
    ) -> bool {
        let Some(greeting) = &mut self.greeting else { return fault.is_some() };
        let is_new = greeting.fault != fault;
        greeting.fault = fault;
        let waits = fault.is_some() && (is_new || greeting.unconfirmed.is_some());
        greeting.unconfirmed = waits.then(|| (generation, granted.clone()));
        waits
    }

    /// Sends what TLS has said to this end and it has not taken, unless a fault is in the way.
    fn send_on(&mut self, cx: &mut Context<'_>, side: Side) -> bool {
        let closed = self.pumps.get(side.other().sends()).closed;
        if closed && !self.legs.get(side).severed {
            return false;
        }
        match self.legs.get_mut(side).flush(cx) {
            Ok(moved) => {
                self.see_harmed(side);
                moved
            }
            Err(error) => {
                self.write_failed(side, &error);
                true
            }
        }
    }

    /// Whether a fault lets nothing of a handshake pass.
    fn is_dark(&self) -> bool {
        let dark = Direction::BOTH.into_iter().any(|direction| self.pumps.get(direction).closed);
        dark || self.legs.device.is_mute() || self.legs.hub.is_mute()
    }

    // With the device.

    fn greet(&mut self, cx: &mut Context<'_>) -> bool {
        if self.greeting.is_none() {
            return false;
        }
        let (now, dark) = (self.now(), self.is_dark());
        let Some(greeting) = &mut self.greeting else { return false };
        if !self.legs.device.is_shaking() {
            self.greeting = None;
            return false;
        }
        if dark || greeting.is_stalled() {
            greeting.patience.wait(now);
            if !dark {
                self.confirm_handshake();
            }
            return self.watch(cx, Side::Device);
        }
        if greeting.patience.deadline(self.terms.patience).is_some_and(|at| at <= now) {
            let words = match greeting.stage {
                Stage::Hello => "no ClientHello came",
                Stage::Asked | Stage::Answered | Stage::Greeted | Stage::Flown => {
                    "the handshake did not come to its end"
                }
            };
            self.tls_failed(Side::Device, format!("{words} in {} s", self.terms.patience.as_secs()));
            return true;
        }
        if greeting.stage == Stage::Asked {
            if self.waits_for_hub() {
                if let Some(greeting) = &mut self.greeting {
                    greeting.patience.wait(now);
                }
                return self.watch(cx, Side::Device);
            }
            self.answer(now);
            return true;
        }
        greeting.patience.go_on(now);
        if greeting.stage == Stage::Greeted {
            if let Some(HandshakeFault::Abort(how)) = greeting.fault {
                self.abort(how);
                return true;
            }
            // The fault is over: the rest of the flight goes.
            greeting.stage = Stage::Answered;
            if let Some(secure) = self.legs.device.secure() {
                secure.go_on();
            }
        }
        let Poll::Ready(step) = self.legs.device.poll_handshake(cx) else { return false };
        self.device_step(now, step);
        true
    }

    fn device_step(&mut self, now: Time, step: Step) {
        match step {
            Step::Hello(hello) => self.hello(now, hello),
            Step::Greeted => {
                if let Some(greeting) = &mut self.greeting {
                    greeting.stage = Stage::Greeted;
                }
            }
            Step::Flight => {
                let Some(greeting) = &mut self.greeting else { return };
                greeting.stage = Stage::Flown;
                let wanted = match greeting.fault {
                    Some(HandshakeFault::Certificate(flaw)) => Some(flaw),
                    Some(HandshakeFault::Stall(_) | HandshakeFault::Abort(_) | HandshakeFault::Alert(_))
                    | None => None,
                };
                // The fault may be another by now.
                if greeting.flaw.is_some() && greeting.flaw == wanted {
                    self.confirm_handshake();
                }
            }
            Step::Up(agreed) => {
                let greeting = self.greeting.take();
                let took = greeting.map_or(Duration::ZERO, |was| was.patience.took(now));
                self.device_name = agreed
                    .peer
                    .as_ref()
                    .and_then(Certificate::read)
                    .and_then(|c| c.common_name)
                    .map(String::into_boxed_str);
                self.established(Side::Device, took, agreed);
            }
            Step::Ended(how, word) => self.broke_off(Side::Device, how, word),
            Step::Failed(failure) => self.tls_failed_by(Side::Device, &failure),
        }
    }

    /// The device's ClientHello came: what the engine orders about it holds for it.
    fn hello(&mut self, now: Time, hello: ClientHello) {
        if let Some(greeting) = &mut self.greeting {
            greeting.stage = Stage::Asked;
            greeting.patience = Patience::new(now);
        }
        let ClientHello { sni, alpn, .. } = &hello;
        let (sni, alpn) = (sni.clone(), alpn.clone());
        self.hello = Some(Box::new(hello));
        self.core.tell(Input::TlsHello { link: self.id, sni, alpn, passthrough: false });
        self.obey();
        self.start_dial();
    }

    /// Whether the device is to be told what the hub agrees to: the protocol, where it offers any.
    fn waits_for_hub(&self) -> bool {
        let offers = self.hello.as_ref().is_some_and(|hello| !hello.alpn.is_empty());
        let hub_pending = match self.dial {
            // Only what the device says behind its handshake shows whether the fault is its own.
            Dial::Waiting => !self.hold_dial,
            Dial::Trying { .. } => true,
            Dial::Done => self.legs.hub.is_shaking(),
        };
        self.terms.hub.is_some() && !self.terms.by_device && offers && hub_pending
    }

    /// Answers the ClientHello, or does what a fault does in the place of that.
    fn answer(&mut self, now: Time) {
        let Some(greeting) = &mut self.greeting else { return };
        greeting.patience.go_on(now);
        if let Some(HandshakeFault::Alert(alert)) = greeting.fault {
            if self.legs.device.alert(alert) {
                self.confirm_handshake();
            }
            return self.device_refused();
        }
        let (flaw, greeting_alone) = match greeting.fault {
            Some(HandshakeFault::Certificate(flaw)) => (Some(flaw), false),
            Some(HandshakeFault::Stall(_) | HandshakeFault::Abort(_)) => (None, true),
            Some(HandshakeFault::Alert(_)) | None => (None, false),
        };
        greeting.flaw = flaw;
        greeting.stage = Stage::Answered;
        if let Err(error) = self.answer_with(flaw, greeting_alone) {
            self.legs.device.alert(Alert::INTERNAL_ERROR);
            self.tls_failed(Side::Device, error);
        }
    }

    fn answer_with(&mut self, flaw: Option<BadCertificate>, greeting_alone: bool) -> Result<(), String> {
        let terms = self.terms.clone();
        let (Some(tls), Some(hello)) = (&terms.device, &self.hello) else { return Ok(()) };
        self.ahead = terms.by_device || matches!(self.dial, Dial::Waiting);
        let offered: Vec<Vec<u8>> = match (&terms.hub, self.ahead) {
            // What the hub agreed to, or nothing.
            (Some(_), false) => self.hub_alpn.iter().map(|alpn| alpn.as_bytes().to_vec()).collect(),
            (Some(_), true) | (None, _) => first_offered(hello),
        };
        let dialled = self.course.as_ref().map(|course| course.to.ip());
        let local =
            dialled.or_else(|| self.legs.device.local_ip()).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let ask = Ask { sni: hello.sni.as_deref(), local, alpn: &offered, flaw };
        let config = tls.config(&ask).map_err(|error| error.to_string())?;
        let secure = self.legs.device.secure();
        secure
            .map_or(Ok(()), |secure| secure.answer(config, greeting_alone))
            .map_err(|error| error.to_string())
    }

    fn abort(&mut self, how: Ending) {
        match how {
            Ending::Reset => self.legs.device.reset(),
            Ending::Fin | Ending::Unnotified | Ending::Alert | Ending::WsClose => self.legs.device.end(),
        }
        self.confirm_handshake();
        self.device_refused();
    }

    /// What a fault makes of the handshake has come about.
    fn confirm_handshake(&mut self) {
        let confirmed = self.greeting.as_mut().and_then(|greeting| greeting.unconfirmed.take());
        if let Some((generation, granted)) = confirmed {
            self.core.tell(Input::Applied { link: self.id, generation, granted });
        }
    }

    /// The device is turned away: the link ends here.
    fn device_refused(&mut self) {
        let now = self.now();
        self.greeting = None;
        self.dial = Dial::Done;
        self.pumps.down.discard();
        self.pumps.up.lane.finish(now, Ending::Alert);
        self.drop_at = Some(now + FIN_LINGER);
    }

    // With the hub.

    /// TLS with the hub begins once it is known what to ask it for.
    pub(super) fn meet_hub(&mut self, cx: &mut Context<'_>) -> bool {
        if self.terms.hub.is_none() || !self.legs.hub.is_shaking() {
            return false;
        }
        // Who is turned away is never announced.
        let is_device_up = self.greeting.is_none() && self.legs.device.secure().is_some_and(|it| it.is_up());
        let known =
            !self.terms.mode.serves() || (self.hello.is_some() && (!self.terms.by_device || is_device_up));
        let now = self.now();
        if self.is_dark() || !known {
            // The time in the dark is not the hub's.
            if let Some(patience) = &mut self.hub_patience {
                patience.wait(now);
            }
            return self.watch(cx, Side::Hub);
        }
        match &mut self.hub_patience {
            None => {
                self.hub_patience = Some(Patience::new(now));
                if let Err(error) = self.ask_hub() {
                    self.tls_failed(Side::Hub, error);
                    return true;
                }
            }
            Some(patience) => {
                patience.go_on(now);
                if patience.deadline(self.terms.patience).is_some_and(|at| at <= now) {
                    let seconds = self.terms.patience.as_secs();
                    let words = format!("the handshake did not come to its end in {seconds} s");
                    self.tls_failed(Side::Hub, words);
                    return true;
                }
            }
        }
        let Poll::Ready(step) = self.legs.hub.poll_handshake(cx) else { return false };
        match step {
            Step::Up(agreed) => {
                let took = self.hub_patience.map_or(Duration::ZERO, |patience| patience.took(now));
                self.hub_alpn = agreed.alpn.as_deref().map(Box::from);
                self.established(Side::Hub, took, agreed);
            }
            Step::Ended(how, word) => self.broke_off(Side::Hub, how, word),
            Step::Failed(failure) => self.tls_failed_by(Side::Hub, &failure),
            // A server's steps.
            Step::Hello(_) | Step::Greeted | Step::Flight => {}
        }
        true
    }

    fn ask_hub(&mut self) -> Result<(), String> {
        let terms = self.terms.clone();
        let Some(tls) = &terms.hub else { return Ok(()) };
        let words = |error: TlsError| error.to_string();
        let name = self.name_for(tls).map_err(words)?;
        let alpn: Vec<Vec<u8>> = match &self.hello {
            // Where the device was answered first, the hub has to agree to the same.
            Some(hello) if self.ahead => first_offered(hello),
            Some(hello) => hello.alpn.iter().cloned().map(String::into_bytes).collect(),
            None => Vec::new(),
        };
        let device = self.device_name.as_deref().filter(|_| terms.by_device);
        let config = tls.config(&alpn, device).map_err(words)?;
        let secure = self.legs.hub.secure();
        secure.map_or(Ok(()), |secure| secure.begin(config, name)).map_err(|error| error.to_string())
    }

    // What comes of them.

    fn established(&mut self, side: Side, took: Duration, agreed: Agreed) {
        let subject = agreed.peer.as_ref().and_then(Certificate::read).map(|certificate| certificate.subject);
        let Agreed { version, cipher, resumed, alpn, peer: _ } = agreed;
        let up = TlsUp { took_ns: time::nanos(took), version, cipher, resumed, alpn, subject };
        self.core.tell(Input::TlsEstablished { link: self.id, side, up: Box::new(up) });
        self.rearm(side);
    }

    pub(super) fn tls_failed_by(&mut self, side: Side, failure: &Failure) {
        let words = match failure {
            Failure::NotTls(reason) => format!("{reason} on a port for TLS"),
            Failure::Refused(error, peer) => {
                let wanted = match side {
                    Side::Device => String::new(),
                    Side::Hub => self.hub_name(),
                };
                explain(error, peer.as_ref(), &wanted, side)
            }
        };
        if let (Failure::NotTls(_), Side::Device) = (failure, side) {
            self.legs.device.alert(Alert::UNEXPECTED_MESSAGE);
        }
        self.tls_failed(side, words);
    }

    /// An end gave up in mid-handshake: without keys, nothing can come or go any more, not even one way.
    fn broke_off(&mut self, side: Side, how: Ending, word: Option<String>) {
        if side == Side::Hub && how != Ending::Alert {
            let error = format!(
                "{}: the hub ended the TLS handshake ({}): is that a port for TLS?",
                self.upstream(),
                how.word()
            );
            self.core.tell(Input::TlsFailed { link: self.id, side, error });
        }
        self.tell_end(side, how, word);
        let gone = match how {
            Ending::Reset => Ending::Reset,
            Ending::Fin | Ending::Unnotified | Ending::Alert | Ending::WsClose => Ending::Alert,
        };
        self.ended(side, gone, None);
    }

    /// The name that the hub is asked for on this link.
    pub(super) fn name_for(&self, tls: &HubTls) -> Result<ServerName<'static>, TlsError> {
        let sni = self.hello.as_ref().and_then(|hello| hello.sni.as_deref());
        match &self.course {
            Some(course) => tls.name_at(sni, course.to.ip()),
            None => tls.name(sni),
        }
    }

    fn hub_name(&self) -> String {
        let name = self.terms.hub.as_ref().and_then(|tls| self.name_for(tls).ok());
        name.map(|name| name.to_str().into_owned()).unwrap_or_default()
    }

    /// TLS failed on this side: what it has to say goes, and the other end is told as it would have been.
    fn tls_failed(&mut self, side: Side, error: String) {
        self.core.tell(Input::TlsFailed { link: self.id, side, error });
        let now = self.now();
        self.legs.get_mut(side).end();
        self.pumps.get_mut(side.other().sends()).discard();
        match side {
            Side::Device => self.device_refused(),
            Side::Hub => {
                self.pumps.down.lane.finish(now, Ending::Reset);
                self.drop_at = Some(now + FIN_LINGER);
            }
        }
    }

    /// A hub's leg is up: with TLS on it where that is wanted.
    pub(super) fn secured(&self, leg: crate::net::leg::Leg) -> crate::net::leg::Leg {
        if self.terms.hub.is_some() { leg.secured(Secure::client()) } else { leg }
    }

    /// A record that was to be damaged may have been sent.
    pub(super) fn see_harmed(&mut self, toward: Side) {
        if self.harm.get(toward).is_none() || !self.legs.get_mut(toward).take_harmed() {
            return;
        }
        self.legs.get_mut(toward).harmed = true;
        let window = self.harm.get_mut(toward).take().and_then(|harm| harm.window);
        self.core.tell(Input::Harmed { link: self.id, window, toward });
    }
}

/// The protocol agreed on where the hub is not asked: the first offered but HTTP/2 and 3, in which neither MQTT nor
/// the usual WebSocket is spoken.
fn first_offered(hello: &ClientHello) -> Vec<Vec<u8>> {
    let spoken = hello.alpn.iter().find(|name| !matches!(name.as_str(), "h2" | "h3"));
    spoken.cloned().map(String::into_bytes).into_iter().collect()
}
