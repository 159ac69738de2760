//! What the resource log of Azure IoT Hub would say.

use super::heading;
use crate::report::model::{AzureEntry, Report};
use crate::report::table::{Cell, Styling, Tone, lay_out, wrap};

/// The section, where there is anything.
pub(super) fn section(report: &Report, styling: Styling) -> String {
    let Some(azure) = &report.azure else { return String::new() };
    let rows: Vec<Vec<Cell>> =
        azure.entries.iter().filter(|entry| entry.code.is_some() || is_refusal(entry)).map(row).collect();
    let patterns = azure.patterns.iter().map(|told| wrap("  ", told));
    heading("as Azure IoT Hub would log it", "", styling)
        + &lay_out(&rows, styling)
        + &patterns.collect::<String>()
}

/// `4  404104  DeviceConnectionClosedRemotely`
fn row(entry: &AzureEntry) -> Vec<Cell> {
    let beside: Vec<&str> = [(is_refusal(entry), "connect refused"), (entry.nearest, "nearest known")]
        .into_iter()
        .filter_map(|(told, words)| told.then_some(words))
        .collect();
    vec![
        Cell::plain(entry.count.to_string()),
        Cell::plain(entry.code.map_or("no code".into(), |code| code.to_string())),
        Cell::plain(entry.name.unwrap_or_default()),
        if beside.is_empty() { Cell::plain("") } else { Cell::new(beside.join(", "), Tone::Faint) },
    ]
}

fn is_refusal(entry: &AzureEntry) -> bool {
    entry.operation == "deviceConnect"
}
