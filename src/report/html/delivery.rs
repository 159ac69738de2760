//! What became of messages, by direction and quality of service.

use super::escape::text;
use crate::report::model::{Delivery, DeliveryCounts, Report};
use crate::report::words::count;

const HEADS: [(&str, &str); 7] = [
    ("sent", "seen from their sender for the first time"),
    ("received", "passed on to their receiver"),
    ("completed", "whose sender was told so; nothing at QoS 0"),
    ("sent again", "by their sender: how many times"),
    ("duplicated", "passed on again: how many times"),
    ("lost", "never got to their receiver, or were given up"),
    ("in flight at the end", "neither completed nor known to be lost"),
];
/// The place of `lost` among them.
const LOST: usize = 5;

pub(super) fn section(report: &Report) -> String {
    let Some(delivery) = &report.fleet.delivery else { return String::new() };
    let rows = [("from devices", &delivery.up), ("for devices", &delivery.down)];
    let rows: String =
        rows.into_iter().flat_map(|(way, counts)| (0..3).map(move |qos| row(way, qos, counts))).collect();
    let further: String = further(delivery).iter().map(|one| format!("<li>{}</li>\n", text(one))).collect();
    if rows.is_empty() && further.is_empty() {
        return String::new();
    }
    let head = |(name, means): &(&str, &str)| {
        format!("<th scope=\"col\" class=\"fig\" title=\"{means}\">{name}</th>")
    };
    let heads: String = HEADS.iter().map(head).collect();
    format!(
        "<section aria-labelledby=\"messages\"><h2 id=\"messages\">Messages</h2>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Messages\"><table id=\"delivery\">\n<thead><tr>\
         <th scope=\"col\">direction</th><th scope=\"col\">QoS</th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n\
         <ul class=\"notes\" id=\"kept\">\n{further}</ul>\n\
         <p class=\"faint\">Completed: the sender was told so; there is nothing of the kind at QoS 0.</p></section>\n"
    )
}

/// A row of one quality of service, if there were messages of it.
fn row(way: &str, qos: usize, counts: &DeliveryCounts) -> String {
    let all = [
        counts.sent[qos].to_string(),
        counts.received(qos),
        counts.completed(qos),
        counts.retransmitted(qos),
        counts.duplicated(qos),
        counts.lost(qos),
        counts.in_flight(qos),
    ];
    if all.iter().all(|count| count == "0") {
        return String::new();
    }
    let cell = |(column, count): (usize, &String)| {
        let class = if column == LOST && counts.lost[qos] > 0 { "fig never" } else { "fig" };
        format!("<td class=\"{class}\">{count}</td>")
    };
    let cells: String = all.iter().enumerate().map(cell).collect();
    format!("<tr><td>{way}</td><td>{qos}</td>{cells}</tr>\n")
}

/// What is not by quality of service. What could not be told is said as such.
fn further(delivery: &Delivery) -> Vec<String> {
    let mut told = vec![offline(delivery)];
    for (way, counts) in [("from devices", &delivery.up), ("for devices", &delivery.down)] {
        if let Some((missing, repeated)) = counts.missing.zip(counts.repeated) {
            told.push(format!("Numbers in the payloads {way}: {missing} missing, {repeated} repeated."));
        }
        let unfollowed: u64 = counts.unfollowed.iter().sum();
        if unfollowed > 0 {
            let messages = count(unfollowed, "message");
            told.push(format!(
                "{messages} {way}: not known what became of them, so that counts are given from and to."
            ));
        }
    }
    told
}

fn offline(delivery: &Delivery) -> String {
    let queued = delivery.queued_offline.map(|queued| count(queued, "message"));
    match (queued, delivery.dropped_offline) {
        (None, None) => "Whether devices kept messages while they were away could not be told.".into(),
        (None, Some(dropped)) => {
            format!("Devices dropped {} while they were away.", count(dropped, "message"))
        }
        (Some(queued), None) => format!(
            "Devices kept {queued} while they were away, and sent them when they were back; how many they dropped could not \
             be told, since their payloads have no numbers that were read."
        ),
        (Some(queued), Some(dropped)) => format!(
            "Devices kept {queued} while they were away, and sent them when they were back; {dropped} they had dropped, by \
             the numbers in the payloads."
        ),
    }
}
