//! The plan told in words, before anything is broken: what `check` shows.

mod faults;
mod links;
mod packets;
mod tls;
mod words;

use super::plan::{Comparison, Expectation, Plan, Rule, Statistic, When};
use crate::base::text::printable;
use crate::base::time::nanos;
use crate::mqtt::PacketKind;
use faults::{fault, more};
use std::time::Duration;
use words::{Words, comparison, limit, ordinal, percentile, times, who};

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
    if let Some(seconds) = plan.server_keep_alive {
        page.paragraph("", &told_keep_alive(words.time(Duration::from_secs(seconds.into()))));
    }
    if plan.rules.is_empty() {
        page.gap();
        page.paragraph("", "Nothing is broken: brownout only watches.");
    }
}

/// What `server_keepalive` does, and to what.
fn told_keep_alive(keep_alive: String) -> String {
    format!(
        "Both ends are told a keep-alive of {keep_alive} in the place of the device's own: the hub in CONNECT, the device \
         in the CONNACK of MQTT 5 (a device before MQTT 5 cannot be told, and keeps its own). That changes what is \
         tested: the timers of both ends run at {keep_alive}, not at what they are used with."
    )
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
        if let Some(code) = rule.logged_as {
            let named = format!("{} ({})", code.number(), code.name());
            page.paragraph("    ", &format!("Told as what Azure IoT Hub would log as {named}."));
        }
    }
}

/// The first firing; on a device's clock, CONNECT comes before CONNACK, and both before all else.
fn order(rule: &Rule, words: Words) -> (u64, u32, u8) {
    match &rule.when {
        When::At { first, .. } => (nanos(*first), 0, 0),
        When::Spells(spells) => (spells.first().map_or(u64::MAX, |spell| nanos(spell.at)), 0, 0),
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
        When::At { first: Duration::ZERO, repeat: None } => "from the beginning of the run".to_owned(),
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
        When::Spells(spells) => match &**spells {
            [] => "never".to_owned(),
            [only] => format!("at {} for {}", words.time(only.at), words.time(only.hold)),
            [first, .., last] => format!(
                "{}, first at {} for {} and last at {} for {}",
                times(u32::try_from(spells.len()).unwrap_or(u32::MAX)),
                words.time(first.at),
                words.time(first.hold),
                words.time(last.at),
                words.time(last.hold)
            ),
        },
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
    let through = format!(
        "The run ends when {devices}, every rule has fired as often as it may on the devices that are there, and \
             {settled}"
    );
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
    // An upper limit of one sample is that of all below it, too.
    let is_upper = matches!(expectation.comparison, Comparison::AtMost | Comparison::Below);
    let statistic = match expectation.statistic {
        Statistic::Max if is_upper => "every sample".to_owned(),
        Statistic::Max => "the greatest sample".to_owned(),
        Statistic::Min => "the smallest sample".to_owned(),
        Statistic::Percentile(percent) if is_upper => format!("{percent} % of the samples"),
        Statistic::Percentile(percent) => format!("the {} percentile of the samples", percentile(percent)),
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
