//! Fault-injection messages: who may ask, and what comes of it.

use super::packets::{DOWN, DROP, UP, done, held, of, publish};
use super::*;
use crate::azure::{FaultOperation, FaultRequest};
use crate::fault::{PacketEnd, Verdict};

fn request(operation: FaultOperation, delay: u64, duration: Option<u64>) -> FaultRequest {
    FaultRequest {
        operation: Ok(operation),
        delay: Duration::from_millis(delay),
        duration: duration.map(Duration::from_millis),
        reason: None,
    }
}

fn honouring(glob: &str) -> Plan {
    let asked = |operation, fault| rule(When::Asked(operation), fault);
    let rules = vec![
        asked(FaultOperation::KillTcp, rst()),
        asked(FaultOperation::InvokeThrottling, held(of(PacketKind::Puback), DROP, "1 keepalive")),
    ];
    Plan { fault_messages: Some(glob.into()), ..plan(rules) }
}

impl Run {
    fn command(&mut self, link: LinkId, direction: Direction, request: FaultRequest, qos: u8) -> Verdict {
        let beside = Beside { topic: Some("devices/d/messages/events/"), request: Some(request) };
        let (ticket, verdict) = self.engine.packet(self.now, link, direction, publish(qos), beside, false);
        self.drain();
        let verdict = verdict.map(|verdict| *verdict).unwrap_or_default();
        for (window, what) in done(&verdict) {
            self.tell(Input::Altered { link, direction, seq: ticket.seq, window, what });
        }
        verdict
    }

    fn messages(&self) -> Vec<(String, Option<String>)> {
        let told = self.events.iter().filter_map(|event| match &event.what {
            What::FaultMessage { operation, ignored, .. } => Some((operation.clone(), ignored.clone())),
            _ => None,
        });
        told.collect()
    }
}

fn swallowed() -> Verdict {
    Verdict { end: Some((None, PacketEnd::Drop { acknowledge: true })), ..Verdict::default() }
}

#[test]
fn a_command_is_swallowed_and_carried_out_after_its_delay() {
    for qos in [0, 1, 2] {
        let mut run = Run::new(honouring("d*"));
        let (link, other) = (run.device(1, "d1", 60), run.device(2, "d2", 60));
        run.to(1000);
        let kill = request(FaultOperation::KillTcp, 500, Some(10));
        assert_eq!(run.command(link, UP, kill, qos), swallowed());
        assert_eq!(run.messages(), [("KillTcp".to_owned(), None)]);
        run.to(1499);
        assert_eq!(run.cuts(), []);
        run.to(1500);
        assert_eq!(run.cuts(), [(1500, link)], "and {other:?} is left alone");
    }
}

#[test]
fn a_command_may_say_for_how_long() {
    for (duration, until) in [(Some(3000), 4000), (None, 61_000)] {
        let mut run = Run::new(honouring("*"));
        let link = run.device(1, "d", 60);
        run.to(1000);
        run.command(link, UP, request(FaultOperation::InvokeThrottling, 0, duration), 1);
        run.to(1000);
        assert!(run.drops(link, DOWN, Packet::Puback));
        run.now = ms(until) - Duration::from_nanos(1);
        assert!(run.drops(link, DOWN, Packet::Puback), "{duration:?}");
        run.now = ms(until);
        assert!(!run.drops(link, DOWN, Packet::Puback), "{duration:?}");
    }
}

#[test]
fn who_is_not_honoured_sends_a_message_like_all_others() {
    let kill = || request(FaultOperation::KillTcp, 0, None);
    let nobody = Plan { fault_messages: None, ..honouring("*") };
    let cases = [(honouring("other-*"), UP), (nobody, UP), (honouring("*"), DOWN)];
    for (plan, direction) in cases {
        let mut run = Run::new(plan);
        let link = run.device(1, "d", 60);
        run.to(1000);
        assert!(run.command(link, direction, kill(), 1).is_clear());
        run.to(2000);
        assert_eq!((run.messages(), run.cuts()), (vec![], vec![]));
    }
}

#[test]
fn a_command_that_comes_to_nothing_says_why() {
    let mut run = Run::new(honouring("*"));
    let link = run.device(1, "d", 60);
    run.to(1000);
    let of_amqp = FaultRequest {
        operation: Err("KillAmqpConnection".into()),
        ..request(FaultOperation::KillTcp, 0, None)
    };
    assert_eq!(run.command(link, UP, of_amqp, 1), swallowed(), "it is brownout's all the same");
    run.command(link, UP, request(FaultOperation::ShutDownMqtt, 0, None), 1);
    run.to(2000);
    assert_eq!(run.cuts(), []);
    let ignored: Vec<bool> = run.messages().iter().map(|(_, ignored)| ignored.is_some()).collect();
    assert_eq!(ignored, [true, true]);
    assert_eq!(run.messages()[0].0, "KillAmqpConnection");
}

/// A device that asks without end must not fill the memory with what it asked for.
#[test]
fn what_one_device_asked_for_is_bounded() {
    let mut run = Run::new(honouring("*"));
    let (link, other) = (run.device(1, "d", 60), run.device(2, "e", 60));
    run.to(1000);
    for _ in 0..100 {
        run.command(link, UP, request(FaultOperation::KillTcp, 60_000, None), 0);
    }
    run.command(other, UP, request(FaultOperation::KillTcp, 60_000, None), 0);
    let ignored: Vec<bool> = run.messages().iter().map(|(_, ignored)| ignored.is_some()).collect();
    assert_eq!(ignored.iter().filter(|ignored| !**ignored).count(), 65);
    assert!(ignored[64] && !ignored[63] && !ignored[100], "each device has a bound of its own");
}

/// What devices may ask for is never used up, and keeps no run from its end either.
#[test]
fn rules_that_are_asked_for_decide_nothing_of_a_runs_end() {
    let mut with_another = honouring("*");
    with_another.rules.push(rule(at(1000), rst()));
    let mut run = Run::new(with_another);
    run.device(1, "d", 60);
    run.to(60_000);
    assert_eq!(run.finished, Some((ms(3000), EndReason::Complete)));
    let mut run = Run::new(honouring("*"));
    run.device(1, "d", 60);
    run.to(60_000);
    assert_eq!(run.finished, None, "a run without another rule watches on");
}
