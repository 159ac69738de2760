//! Expectations: each statistic of an item is one.

use super::fields::{Fields, Given};
use super::plan::Names;
use super::scalar::{Scalar, bad_span};
use crate::base::{RuleId, Side};
use crate::fault::{Blackhole, Fault, FidelityWanted};
use crate::profile::metric::{Metric, Unit};
use crate::profile::plan::{Comparison, Expectation, Limit, Rule, Statistic};
use crate::profile::problem::Sink;
use crate::profile::schema::percentile;

/// The expectations of all items that are sound. `has_numbers`: the profile says where numbers stand in payloads.
pub(super) fn expectations(
    items: &[Fields],
    names: &Names<'_, RuleId>,
    rules: &[Option<Rule>],
    has_numbers: bool,
    sink: &mut Sink,
) -> Vec<Expectation> {
    items.iter().flat_map(|fields| item(fields, names, rules, has_numbers, sink)).collect()
}

fn item(
    fields: &Fields,
    names: &Names<'_, RuleId>,
    rules: &[Option<Rule>],
    has_numbers: bool,
    sink: &mut Sink,
) -> Vec<Expectation> {
    let of = names.find(fields, "of", sink);
    let statistics: Vec<(&Given, Statistic)> =
        fields.all().filter_map(|given| Some((given, statistic(&given.name)?))).collect();
    if statistics.is_empty() {
        sink.error(fields.spot(), "the expectation says nothing of the samples")
            .help("add a statistic: `max: \"<= 2 keepalive\"`, `p95: \"<= 30s\"`, `count: \">= 4\"`");
    }
    let Some(metric) = fields.metric("metric") else { return Vec::new() };
    let rule = of.and_then(|of| rules.get(usize::from(of.0))?.as_ref());
    check_evidence(fields, metric, rule, sink);
    check_client(fields, metric, sink);
    if !fields.has("of") {
        check_source(fields, metric, rules, has_numbers, sink);
    }
    if statistics.iter().any(|(_, statistic)| *statistic != Statistic::Count) {
        note_bracket(fields, metric, rule, sink);
    }
    statistics
        .into_iter()
        .filter_map(|(given, statistic)| {
            let Scalar::Limit(comparison, text) = given.scalar()? else { return None };
            let limit = limit(given, metric, statistic, text, sink)?;
            check_count(given, metric, statistic, *comparison, limit, sink);
            let client = fields.text("client");
            Some(Expectation { metric, of, client, statistic, comparison: *comparison, limit })
        })
        .collect()
}

/// The statistic that a key asks for.
fn statistic(name: &str) -> Option<Statistic> {
    match name {
        "min" => Some(Statistic::Min),
        "max" => Some(Statistic::Max),
        "sum" => Some(Statistic::Sum),
        "count" => Some(Statistic::Count),
        other => percentile(other).map(Statistic::Percentile),
    }
}

fn limit(given: &Given, metric: Metric, statistic: Statistic, text: &str, sink: &mut Sink) -> Option<Limit> {
    if statistic == Statistic::Count || metric.unit() == Unit::Count {
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        if number.is_none() {
            sink.error(given.spot(), format!("the limit of `{}` is a number, not `{text}`", given.name))
                .help(format!("`{}` of `{metric}` counts: write for example \">= 4\"", given.name));
        }
        return number.map(Limit::Number);
    }
    let span = text.parse();
    if let Err(bad) = &span {
        let (message, help) = bad_span(bad);
        sink.error(given.spot(), format!("the limit of `{}`: {message}", given.name)).help(help);
    }
    span.ok().map(Limit::Span)
}

fn check_evidence(fields: &Fields, metric: Metric, rule: Option<&Rule>, sink: &mut Sink) {
    let Some(rule) = rule else { return };
    if let Some(why) = metric.no_evidence(&rule.fault) {
        sink.error(fields.value_spot("metric"), format!("`{metric}` never has a sample of `{}`", rule.id))
            .label(why)
            .also(fields.value_spot("of"), "so this cannot be met")
            .help("an expectation without a sample is unmet; take `of` out, or the whole expectation");
    }
}

/// What is of all devices together has no sample of one.
fn check_client(fields: &Fields, metric: Metric, sink: &mut Sink) {
    let is_of_all =
        matches!(metric, Metric::ConnectRate | Metric::Dip | Metric::FleetRecovery | Metric::ReconnectSpread);
    if is_of_all && fields.has("client") {
        sink.error(
            fields.key_spot("client"),
            format!("`client` has no meaning for `{metric}`: it is of all devices together"),
        )
        .also(fields.value_spot("metric"), "")
        .help("take `client` out");
    }
}

/// Some measures have samples only of faults of one kind, or of numbers in payloads. Those that fault-injection messages can
/// bring about are noted alone: whether these are honoured, the command line says.
fn check_source(fields: &Fields, metric: Metric, rules: &[Option<Rule>], has_numbers: bool, sink: &mut Sink) {
    let of_rules = || {
        rules.iter().all(|rule| rule.as_ref().is_some_and(|rule| metric.no_evidence(&rule.fault).is_some()))
    };
    let (missing, add) = match metric {
        Metric::SequenceGaps | Metric::DroppedOffline if !has_numbers => (
            "it is not said where numbers stand in payloads",
            "add `sequence`, for example `sequence: { json: /seq }`",
        ),
        Metric::HandshakeAttempts | Metric::HandshakeGap if of_rules() => {
            ("no rule has a `tls_handshake` fault", "add such a rule")
        }
        Metric::PacketsAltered if of_rules() => ("no rule has a fault of packets", "add such a rule"),
        Metric::ConnectsRefused if of_rules() => {
            ("no rule has a `refuse` or `reject` fault", "add such a rule")
        }
        _ => return,
    };
    let (spot, help) = (fields.value_spot("metric"), "an expectation without a sample is unmet");
    if matches!(metric, Metric::PacketsAltered | Metric::ConnectsRefused) {
        sink.note(
            spot,
            format!("`{metric}` has samples of fault-injection messages alone (`--azure-fault-messages`)"),
        )
        .label(missing)
        .help(format!("{help}; without them, {add}, or take the expectation out"));
    } else {
        sink.error(spot, format!("`{metric}` never has a sample in this profile"))
            .label(missing)
            .help(format!("{help}; {add}, or take the expectation out"));
    }
}

/// Where there is no sample, an expectation is unmet: so a count is judged from 1 on.
fn check_count(
    given: &Given,
    metric: Metric,
    statistic: Statistic,
    comparison: Comparison,
    limit: Limit,
    sink: &mut Sink,
) {
    let (Statistic::Count, Limit::Number(number)) = (statistic, limit) else { return };
    let can_be_met = match comparison {
        Comparison::AtMost => number >= 1.0,
        Comparison::Below => number > 1.0,
        Comparison::Equal => number >= 1.0 && number.fract() == 0.0,
        Comparison::AtLeast | Comparison::Above => true,
    };
    if can_be_met {
        return;
    }
    let sign = comparison.sign();
    let found =
        sink.error(given.spot(), format!("the number of samples of `{metric}` is never {sign} {number}"));
    if number > 1.0 {
        found.label("it is a whole number").help(format!("write for example \">= {}\"", number.floor()));
        return;
    }
    // Of attempts there is a sample only where a device is lost.
    let may_be_nothing = metric.unit() == Unit::Count && metric != Metric::ConnectAttempts;
    found.label("an expectation without a sample is unmet").help(if may_be_nothing {
        format!("for `{metric}` to be nothing, write `max: \"== 0\"` in the place of `count`")
    } else {
        "write `>=` and how many there are at least; that no device is lost, `{ metric: dip, max: \"== 0\" }` says"
            .to_owned()
    });
}

/// What an end shows while the kernel drops what it sends is not seen: it is only known that it gave up between the
/// last that came of it and the first that came through.
fn note_bracket(fields: &Fields, metric: Metric, rule: Option<&Rule>, sink: &mut Sink) {
    let Some(rule) = rule else { return };
    let Fault::Blackhole(Blackhole { toward, fidelity: FidelityWanted::Packet, .. }) = rule.fault else {
        return;
    };
    if shown_by(metric).iter().any(|side| toward.hits(*side)) {
        sink.note(
            fields.value_spot("metric"),
            format!("`{metric}` of `{}` is only known as a bracket: from when to when it may have been", rule.id),
        )
        .label("what its end sends is dropped unseen")
        .help(format!(
            "run it with `--tap`, which sees most signs; write `fidelity: stall` in `{}`, under which each is seen; or a \
             limit that the whole bracket meets: one that it reaches across counts as unmet",
            rule.id
        ));
    }
}

/// The ends whose own signs a measure is made from.
fn shown_by(metric: Metric) -> &'static [Side] {
    match metric {
        Metric::DeviceDetection | Metric::DeviceSilence => &[Side::Device],
        Metric::HubDetection | Metric::HubSilence => &[Side::Hub],
        Metric::SplitView => &[Side::Device, Side::Hub],
        Metric::Downtime
        | Metric::Recovery
        | Metric::Resubscribe
        | Metric::FirstPublish
        | Metric::FirstDelivery
        | Metric::ConnectGap
        | Metric::ConnectAttempts
        | Metric::ConnectRate
        | Metric::ControlGap
        | Metric::KeepaliveViolations
        | Metric::PingRtt
        | Metric::PublishRtt
        | Metric::ConnectTime
        | Metric::DeviceTlsTime
        | Metric::HubTlsTime
        | Metric::TlsResumed
        | Metric::HubTlsResumed
        | Metric::HandshakeAttempts
        | Metric::HandshakeGap
        | Metric::PacketsAltered
        | Metric::ConnectsRefused
        | Metric::ConnackWait
        | Metric::DisconnectInterval
        | Metric::TokenMargin
        | Metric::TokenLate
        | Metric::StaleTokens
        | Metric::Qos0Lost
        | Metric::Qos1Lost
        | Metric::Qos1Duplicated
        | Metric::Qos2Lost
        | Metric::Qos2Duplicated
        | Metric::Retransmitted
        | Metric::InFlight
        | Metric::SequenceGaps
        | Metric::QueuedOffline
        | Metric::DroppedOffline
        | Metric::Dip
        | Metric::FleetRecovery
        | Metric::ReconnectSpread => &[],
    }
}
