//! A link that is over as bytes: a run of days has very many.

use super::{Connack, DeviceFacts, Link, Muted, RoundTrips, Showed, Sign, Unread, Wrapped};
use crate::base::pack::{Pack, Reader, Writer, fields, kinds};
use crate::base::{LinkId, Rest};
use crate::event::{Count, LastPackets, Samples};
use crate::fault::{Ending, LegFate};
use crate::measure::packets::{Greeting, KeepAlive};
use crate::tls::Alert;

fields! {
    Connack { at, delivered, code }
    Count { bytes, packets, publishes }
    Greeting { at, token_expiry, same_password, clean, keep_alive }
    KeepAlive { version, asked, hub_told, hub_answered, device_told }
    LastPackets { from, to }
    Muted { since, until }
    RoundTrips { ping, publish }
    Sign { at, showed, last }
    Unread { since, until }
}

kinds! {
    Ending { 0 = Fin, 1 = Unnotified, 2 = Alert, 3 = Reset, 4 = WsClose }
}

impl Pack for Showed {
    fn pack(&self, to: &mut Writer) {
        match self {
            Showed::Ended(ending) => ending.pack(to),
            Showed::Disconnect(reason) => {
                to.byte(DISCONNECT);
                to.byte(*reason);
            }
            Showed::Connect => to.byte(CONNECT),
        }
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Showed> {
        match from.peek()? {
            DISCONNECT => from.byte().and_then(|_| from.byte()).map(Showed::Disconnect),
            CONNECT => from.byte().map(|_| Showed::Connect),
            _ => Ending::unpack(from).map(Showed::Ended),
        }
    }
}

/// Beside the numbers of [`Ending`].
const DISCONNECT: u8 = 0x10;
const CONNECT: u8 = 0x11;

impl Pack for LegFate {
    /// As in a log: few links have one.
    fn pack(&self, to: &mut Writer) {
        serde_json::to_vec(self).unwrap_or_default().pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<LegFate> {
        serde_json::from_slice(&Vec::unpack(from)?).ok()
    }
}

impl Pack for Alert {
    fn pack(&self, to: &mut Writer) {
        to.byte(self.0);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Alert> {
        from.byte().map(Alert)
    }
}

impl Pack for Wrapped {
    fn pack(&self, to: &mut Writer) {
        let Wrapped { hello, passed_through, up, took, resumed, failed, alert, closed, subject } = self;
        let closed = closed.map(|(at, side, code)| ((at, side), code));
        (*hello, (*passed_through, *up)).pack(to);
        (*took, (*resumed, *failed)).pack(to);
        (*alert, (closed, subject.clone())).pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Wrapped> {
        let (hello, (passed_through, up)) = Pack::unpack(from)?;
        let (took, (resumed, failed)) = Pack::unpack(from)?;
        let (alert, (closed, subject)): (_, (Option<((_, _), _)>, _)) = Pack::unpack(from)?;
        let closed = closed.map(|((at, side), code)| (at, side, code));
        Some(Wrapped { hello, passed_through, up, took, resumed, failed, alert, closed, subject })
    }
}

impl Rest for Link {
    /// Something may still come of one that lives.
    fn may_rest(&self) -> bool {
        self.closed.is_some() && self.owed.is_empty() && self.in_force.is_empty() && self.pending.is_none()
    }
}

impl Pack for Link {
    /// All that is known of a link that is over.
    fn pack(&self, to: &mut Writer) {
        let Link { device, to: dialled_to, opened, dialled, opened_before, accepted_before, closed, .. } =
            self;
        let Link {
            is_past,
            greeting,
            asked,
            connect_waited,
            foreign,
            connack,
            hub_accepted,
            signs,
            told,
            cut_off,
            waits,
            cut,
            ..
        } = self;
        let Link { fate, rival, left_under, goodbye_lost, last, unreachable, hub_connect, wrapped, .. } =
            self;
        let Link { owed: _, resubscribed, first, count, unanswered, broken, in_force: _, .. } = self;
        let Link { unread, muted, settling, owed_to_the_end, pending: _, .. } = self;
        let before = [*opened_before, *accepted_before, *is_past, *connect_waited];
        let ends = [*hub_accepted, *goodbye_lost, *unreachable, *settling];
        before.into_iter().chain(ends).for_each(|truth| truth.pack(to));
        (*owed_to_the_end, *foreign).pack(to);
        (*device, dialled_to.clone()).pack(to);
        // About in the order of time, so that they lie close together.
        (*dialled, (*opened, *greeting)).pack(to);
        (*asked, (*connack, *resubscribed)).pack(to);
        (*first, *last).pack(to);
        (*signs, ((*unread, muted.clone()), ((*told, *cut_off), (*waits, *cut)))).pack(to);
        (*rival, (*closed, *hub_connect)).pack(to);
        (*fate, (*left_under, *count)).pack(to);
        (unanswered.clone(), *broken).pack(to);
        wrapped.pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Link> {
        let mut truth = || bool::unpack(from);
        let (opened_before, accepted_before, is_past) = (truth()?, truth()?, truth()?);
        let (connect_waited, hub_accepted, goodbye_lost) = (truth()?, truth()?, truth()?);
        let (unreachable, settling) = (truth()?, truth()?);
        let (owed_to_the_end, foreign) = Pack::unpack(from)?;
        let (device, to) = Pack::unpack(from)?;
        let (dialled, (opened, greeting)) = Pack::unpack(from)?;
        let (asked, (connack, resubscribed)) = Pack::unpack(from)?;
        let (first, last) = Pack::unpack(from)?;
        let (signs, ((unread, muted), ((told, cut_off), (waits, cut)))) = Pack::unpack(from)?;
        let (rival, (closed, hub_connect)) = Pack::unpack(from)?;
        let (fate, (left_under, count)) = Pack::unpack(from)?;
        let (unanswered, broken) = Pack::unpack(from)?;
        let wrapped = Pack::unpack(from)?;
        let mut link = Link::new(opened);
        (link.opened_before, link.accepted_before, link.is_past) = (opened_before, accepted_before, is_past);
        (link.connect_waited, link.hub_accepted) = (connect_waited, hub_accepted);
        link.foreign = foreign;
        (link.goodbye_lost, link.unreachable, link.settling) = (goodbye_lost, unreachable, settling);
        (link.owed_to_the_end, link.device, link.to) = (owed_to_the_end, device, to);
        (link.dialled, link.closed) = (dialled, closed);
        (link.greeting, link.asked, link.connack) = (greeting, asked, connack);
        (link.signs, link.unread, link.muted) = (signs, unread, muted);
        (link.told, link.cut_off, link.waits, link.cut) = (told, cut_off, waits, cut);
        (link.fate, link.rival, link.left_under) = (fate, rival, left_under);
        (link.last, link.hub_connect, link.resubscribed) = (last, hub_connect, resubscribed);
        (link.first, link.count) = (first, count);
        (link.unanswered, link.broken, link.wrapped) = (unanswered, broken, wrapped);
        Some(link)
    }
}

impl Rest for DeviceFacts {
    fn may_rest(&self) -> bool {
        let RoundTrips { ping, publish } = &self.sound;
        let samples = [&self.control_gap, &self.publish_rtt, &self.ping_rtt, ping, publish];
        self.links.len() + samples.into_iter().map(Samples::values).sum::<usize>() <= MOST_AT_REST
    }
}

/// A device with more links and timings than that is not packed: it would be unpacked again with each link.
const MOST_AT_REST: usize = 64;

impl Pack for DeviceFacts {
    fn pack(&self, to: &mut Writer) {
        let DeviceFacts { links, wanted, control_gap, publish_rtt, ping_rtt, .. } = self;
        let DeviceFacts { sound, violations, subject, rewritten, .. } = self;
        links.len().pack(to);
        links.iter().fold(0, |before, link| {
            link.0.wrapping_sub(before).pack(to);
            link.0
        });
        wanted.pack(to);
        [control_gap, publish_rtt, ping_rtt].into_iter().for_each(|samples| samples.pack(to));
        sound.pack(to);
        (*violations, (subject.clone(), *rewritten)).pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<DeviceFacts> {
        let mut last = 0;
        let mut link = |from: &mut Reader<'_>| {
            last = u64::unpack(from)?.wrapping_add(last);
            Some(LinkId(last))
        };
        let links = (0..u64::unpack(from)?).map(|_| link(from)).collect::<Option<_>>()?;
        let wanted = Pack::unpack(from)?;
        let (control_gap, publish_rtt, ping_rtt) =
            (Pack::unpack(from)?, Pack::unpack(from)?, Pack::unpack(from)?);
        let sound = Pack::unpack(from)?;
        let (violations, (subject, rewritten)) = Pack::unpack(from)?;
        Some(DeviceFacts {
            links,
            wanted,
            control_gap,
            publish_rtt,
            ping_rtt,
            sound,
            violations,
            subject,
            rewritten,
        })
    }
}
