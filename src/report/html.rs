//! The report as a page: one file that needs nothing else.

use super::{Report, Timeline};

/// The HTML.
pub fn render(report: &Report, _timelines: &[Timeline]) -> String {
    report.profile.name.clone()
}
