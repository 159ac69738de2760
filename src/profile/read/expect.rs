//! Expectations: each statistic of an item is one.

use super::fields::{Fields, Given};
use super::plan::Names;
use super::scalar::{Scalar, bad_span};
use crate::base::{RuleId, Side};
use crate::fault::{Blackhole, Fault, FidelityWanted};
use crate::profile::metric::{Metric, Unit};
use crate::profile::plan::{Expectation, Limit, Rule, Statistic};
use crate::profile::problem::Sink;
use crate::profile::schema::percentile;

/// The expectations of all items that are sound.
pub(super) fn expectations(
    items: &[Fields],
    names: &Names<'_, RuleId>,
    rules: &[Option<Rule>],
    sink: &mut Sink,
) -> Vec<Expectation> {
    items.iter().flat_map(|fields| item(fields, names, rules, sink)).collect()
}

fn item(
    fields: &Fields,
    names: &Names<'_, RuleId>,
    rules: &[Option<Rule>],
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
    if statistics.iter().any(|(_, statistic)| *statistic != Statistic::Count) {
        note_bracket(fields, metric, rule, sink);
    }
    statistics
        .into_iter()
        .filter_map(|(given, statistic)| {
            let Scalar::Limit(comparison, text) = given.scalar()? else { return None };
            let limit = limit(given, metric, statistic, text, sink)?;
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
