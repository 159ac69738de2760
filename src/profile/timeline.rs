//! The plan told in words, before anything is broken: what `check` shows.

mod tls;
mod words;

use super::plan::{Expectation, Plan, Rule, Statistic, When};
use super::read::can_vanish;
use crate::base::text::printable;
use crate::base::time::nanos;
use crate::fault::{Blackhole, Close, Connects, Delay, Fault, FidelityWanted, Latency, Stall, Toward};
use crate::mqtt::PacketKind;
use std::time::Duration;
use words::{Words, both_ways, comparison, fate, limit, ordinal, times, toward, who};

/// The width that the text keeps to, in columns.
const WIDTH: usize = 80;

/// The plan in words, at most 80 columns wide. Spans in keep-alives are also told for devices with the keep-alive
/// `example`; zero stands for devices without one, whose spans the plan's `default_keepalive` resolves.
pub fn tell(plan: &Plan, example: Duration) -> String {
    let words = Words::of(plan, example);
    let mut page = Page::default();
    header(&mut page, plan, words);
    let (device, run): (Vec<_>, Vec<_>) =
        plan.rules.iter().partition(|rule| matches!(rule.when, When::After { .. }));
    told_rules(&mut page, "On the run's clock:", &run, plan, words);
    told_rules(&mut page, "On each device's own clock:", &device, plan, words);
    end(&mut page, plan, words);
    expectations(&mut page, plan, words);
    page.text
}

fn header(page: &mut Page, plan: &Plan, words: Words) {
    page.paragraph("", &format!("{}: {}", plan.name, plan.summary));
    if let Some(reproduces) = &plan.reproduces {
        page.paragraph("", &format!("Reproduces: {}.", reproduces.trim_end_matches('.')));
    }
    for listener in &plan.listeners {
        page.paragraph(
            "",
            &format!("Listens on {} ({}) for {}.", listener.listen, listener.name, listener.upstream),
        );
        for more in tls::listener(&listener.tls) {
            page.paragraph("    ", &more);
        }
    }
    if plan.listeners.is_empty()
        && let Some(needed) = tls::needed(plan)
    {
        page.paragraph("", &needed);
    }
    page.paragraph(
        "",
        &format!(
            "Spans in keep-alives are those of each device; a device without a keep-alive counts as {}.",
            words.time(plan.default_keep_alive)
        ),
    );
    if plan.rules.is_empty() {
        page.gap();
        page.paragraph("", "Nothing is broken: brownout only watches.");
    }
}

fn told_rules(page: &mut Page, title: &str, rules: &[&Rule], plan: &Plan, words: Words) {
    if rules.is_empty() {
        return;
    }
    page.gap();
    page.paragraph("", title);
    let mut rules = rules.to_vec();
    rules.sort_by_key(|rule| order(rule, words));
    for rule in rules {
        page.gap();
        page.item(&format!("{}: {}", rule.id, sentence(rule, plan, words)));
        for more in more(rule, plan) {
            page.paragraph("    ", &more);
        }
    }
}

/// The first firing; on a device's clock, CONNECT comes before CONNACK, and both before all else.
fn order(rule: &Rule, words: Words) -> (u64, u32, u8) {
    match &rule.when {
        When::At { first, .. } => (nanos(*first), 0, 0),
        When::Asked(_) => (u64::MAX, 0, 0),
        When::After { packet, nth, delay, .. } => {
            (nanos(delay.resolve(words.example)), *nth, packet.number())
        }
    }
}

fn sentence(rule: &Rule, plan: &Plan, words: Words) -> String {
    format!("{}, {}: {}.", when(&rule.when, words), on_whom(rule, plan), fault(&rule.fault, words))
}

fn when(when: &When, words: Words) -> String {
    match when {
        When::Asked(_) => "when the device asks for it".to_owned(),
        When::At { first, repeat: None } => format!("at {}", words.time(*first)),
        When::At { first, repeat: Some(repeat) } => {
            let moved = if repeat.jitter.is_zero() {
                String::new()
            } else {
                format!(" (each moved by up to {} either way)", words.time(repeat.jitter))
            };
            let often =
                repeat.times.map_or("until the run ends".to_owned(), |n| format!("{} in all", times(n)));
            format!("at {}, then every {}{moved}, {often}", words.time(*first), words.time(repeat.every))
        }
        When::After { packet, nth, delay, times: most } => {
            let which = match packet {
                // One of each link [MQTT-3.1.0-2].
                PacketKind::Connect | PacketKind::Connack | PacketKind::Disconnect => {
                    format!("each {packet}")
                }
                packet if *nth == 1 => format!("the first {packet} of each link"),
                packet => format!("the {} {packet} of each link", ordinal(*nth)),
            };
            let delay = if delay.is_zero() { String::new() } else { format!("{} ", words.span(*delay)) };
            format!("{delay}after {which}, at most {} for each device", times(*most))
        }
    }
}

fn on_whom(rule: &Rule, plan: &Plan) -> String {
    let everyone = if rule.chance == crate::base::Chance::ALWAYS {
        String::new()
    } else {
        format!(" (each firing falls on a device with a chance of {})", rule.chance)
    };
    format!("on {}{everyone}", who(&rule.who, plan))
}

fn fault(fault: &Fault, words: Words) -> String {
    match fault {
        Fault::Blackhole(Blackhole { toward: legs, hold, .. }) => {
            format!("the path goes dark {} for {}", toward(*legs), words.span(*hold))
        }
        Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::Bandwidth(_)
        | Fault::Loss(_)
        | Fault::Slice(_)
        | Fault::CutAfter(_)
        | Fault::IdleTimeout(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => fault.name().to_owned(),
        Fault::Rst(close) => ended("reset (RST)", *close),
        Fault::Fin(close) => ended("closed (FIN)", *close),
        Fault::TlsHandshake(handshake) => words::handshake(handshake, words),
        Fault::TlsAlert(alert) => words::alert(alert),
        Fault::TlsRecord(record) => words::record(record),
        Fault::Stall(Stall { direction, hold }) => {
            format!("bytes {} stop for {}", both_ways(*direction), words.span(*hold))
        }
        Fault::Latency(Latency { direction, delay: Delay { model, jitter }, hold }) => {
            let jitter = if jitter.is_zero() {
                String::new()
            } else {
                format!(", moved by up to {} either way", words.time(*jitter))
            };
            let hold =
                hold.map_or("to the end of the run".to_owned(), |hold| format!("for {}", words.span(hold)));
            format!("bytes {} come later by {}{jitter}, {hold}", both_ways(*direction), words.delay(model))
        }
    }
}

fn ended(how: &str, close: Close) -> String {
    let rest = match close.toward {
        Toward::Both => return format!("both legs are {how}, without DISCONNECT"),
        Toward::Device => "the hub's leg",
        Toward::Hub => "the device's leg",
    };
    let leg = if close.toward == Toward::Device { "the device's leg" } else { "the hub's leg" };
    format!("{leg} is {how}, without DISCONNECT; {rest} {}", fate(close.other))
}

/// What becomes of connects, and how true the fault will be.
fn more(rule: &Rule, plan: &Plan) -> Vec<String> {
    match &rule.fault {
        Fault::Blackhole(blackhole) => vec![connects(rule, blackhole), fidelity(blackhole.fidelity)],
        Fault::Stall(_) => {
            vec!["Made as stall: TCP acknowledges until its windows are full; no byte is lost.".into()]
        }
        Fault::Latency(_) => {
            vec!["Made as stream: bytes that came are held back; TCP itself is sound.".into()]
        }
        Fault::Fin(close) => tls::close(close, plan),
        Fault::TlsHandshake(handshake) => tls::handshake(handshake),
        Fault::TlsAlert(alert) => vec![tls::alert(alert.alert).into()],
        Fault::TlsRecord(record) => vec![tls::record(record)],
        Fault::Rst(_)
        | Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::Bandwidth(_)
        | Fault::Loss(_)
        | Fault::Slice(_)
        | Fault::CutAfter(_)
        | Fault::IdleTimeout(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => Vec::new(),
    }
}

fn connects(rule: &Rule, blackhole: &Blackhole) -> String {
    let silence = "TCP is accepted, and CONNECT is met with silence until it is over";
    match blackhole.connects {
        Connects::Allow => "Connects meanwhile pass; only links that are up when it begins go dark.".into(),
        Connects::Silence => format!("Connects meanwhile: {silence}."),
        Connects::Vanish if can_vanish(rule) => {
            format!(
                "Connects meanwhile vanish: their SYNs are dropped. Where the kernel refuses that, {silence}."
            )
        }
        Connects::Vanish => {
            format!("Connects meanwhile cannot vanish, since a SYN does not say whose it is: {silence}.")
        }
    }
}

fn fidelity(wanted: FidelityWanted) -> String {
    match wanted {
        FidelityWanted::Auto => "Fidelity auto: made as stall (bytes held, TCP acknowledges until its windows are \
                                 full), since nothing in this version sees dropped packets, and without that a \
                                 drop in the kernel would hide when each end gives up."
            .into(),
        FidelityWanted::Packet => "Fidelity packet: what arrives is dropped in the kernel, TCP goes \
                                   unacknowledged; refused, and said so, where the machine does not let it. When \
                                   an end gives up meanwhile is not seen."
            .into(),
        FidelityWanted::Stall => {
            "Fidelity stall: bytes are held, TCP acknowledges until its windows are full.".into()
        }
    }
}

fn end(page: &mut Page, plan: &Plan, words: Words) {
    page.gap();
    let devices = match plan.devices {
        1 => "a device has been accepted".to_owned(),
        devices => format!("{devices} devices have been accepted"),
    };
    let endless = plan.rules.is_empty()
        || plan
            .rules
            .iter()
            .any(|rule| matches!(&rule.when, When::At { repeat: Some(r), .. } if r.times.is_none()));
    let settled = if plan.settle.is_zero() {
        "every fault is over".to_owned()
    } else {
        format!("{} have passed since a fault ended or a device was accepted", words.span(plan.settle))
    };
    let through =
        format!("The run ends when {devices}, every rule has fired as often as it may, and {settled}");
    let text = match (endless, plan.duration) {
        (true, None) => "The run ends when it is stopped.".to_owned(),
        (true, Some(duration)) => format!("The run ends after {}.", words.time(duration)),
        (false, None) => format!("{through}."),
        (false, Some(duration)) => format!("{through}; after {} at the latest.", words.time(duration)),
    };
    page.paragraph("", &text);
}

fn expectations(page: &mut Page, plan: &Plan, words: Words) {
    page.gap();
    if plan.expectations.is_empty() {
        page.paragraph("", "Nothing is expected: the run passes whatever is measured.");
        return;
    }
    page.paragraph("", "Expected (without a sample, an expectation is unmet):");
    for expectation in &plan.expectations {
        page.item(&expected(expectation, plan, words));
    }
}

fn expected(expectation: &Expectation, plan: &Plan, words: Words) -> String {
    let statistic = match expectation.statistic {
        Statistic::Max => "every sample".to_owned(),
        Statistic::Min => "the smallest sample".to_owned(),
        Statistic::Percentile(percent) => format!("{percent} % of the samples"),
        Statistic::Sum => "the sum".to_owned(),
        Statistic::Count => "the number of samples".to_owned(),
    };
    let of = expectation
        .of
        .and_then(|of| plan.rule(of))
        .map(|rule| format!(" of {}", rule.id))
        .unwrap_or_default();
    let client =
        expectation.client.as_ref().map(|glob| format!(" on devices called `{glob}`")).unwrap_or_default();
    let limit = limit(expectation.limit, words);
    format!("{}{of}{client}: {statistic} {} {limit}", expectation.metric, comparison(expectation.comparison))
}

/// Text that is broken into lines as it comes.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn item(&mut self, text: &str) {
        self.wrap("  - ", "    ", text);
    }

    fn paragraph(&mut self, indent: &str, text: &str) {
        self.wrap(indent, indent, text);
    }

    fn wrap(&mut self, first: &str, rest: &str, text: &str) {
        let mut line = first.to_owned();
        let mut empty = true;
        for word in printable(text).split_whitespace() {
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.text.push_str(&line);
                self.text.push('\n');
                line = rest.to_owned();
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }
}
