//! What became of messages, by direction and quality of service.

use crate::report::model::{DeliveryCounts, Report};

pub(super) fn section(report: &Report) -> String {
    let Some(delivery) = &report.fleet.delivery else { return String::new() };
    let rows = [("from devices", &delivery.up), ("for devices", &delivery.down)];
    let rows: String =
        rows.into_iter().flat_map(|(way, counts)| (0..3).map(move |qos| row(way, qos, counts))).collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads: String =
        ["sent", "received", "completed", "sent again", "duplicated", "lost", "in flight at the end"]
            .iter()
            .map(|head| format!("<th scope=\"col\" class=\"fig\">{head}</th>"))
            .collect();
    format!(
        "<section aria-labelledby=\"messages\"><h2 id=\"messages\">Messages</h2>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Messages\"><table id=\"delivery\">\n<thead><tr>\
         <th scope=\"col\">direction</th><th scope=\"col\">QoS</th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n\
         <p class=\"faint\">Completed: the sender was told so; there is nothing of the kind at QoS 0.</p></section>\n"
    )
}

/// A row of one quality of service, if there were messages of it.
fn row(way: &str, qos: usize, counts: &DeliveryCounts) -> String {
    let all = [
        counts.sent[qos],
        counts.received[qos],
        counts.completed[qos],
        counts.retransmitted[qos],
        counts.duplicated[qos],
        counts.lost[qos],
        counts.in_flight[qos],
    ];
    if all.iter().all(|count| *count == 0) {
        return String::new();
    }
    let cell = |(column, count): (usize, &u64)| {
        let class = if column == 5 && *count > 0 { "fig never" } else { "fig" };
        format!("<td class=\"{class}\">{count}</td>")
    };
    let cells: String = all.iter().enumerate().map(cell).collect();
    format!("<tr><td>{way}</td><td>{qos}</td>{cells}</tr>\n")
}
