//! A moment of a run, as a link to where the timeline shows it.

use super::escape::text;

/// The link. The script leads there: to this run, this device's lane (all of them where it is `None`) and this time. Without
/// a script it leads to the timeline's place in the page.
pub(super) fn link(at_s: f64, run: usize, device: Option<&str>, before: &str) -> String {
    let device = device.map_or(String::new(), |name| format!(" data-device=\"{}\"", text(name)));
    format!(
        "<a class=\"moment\" href=\"#timeline\" data-at=\"{at_s}\" data-run=\"{run}\"{device}>{before}{at_s:.3} s</a>"
    )
}
