//! The report as GitHub-flavoured Markdown, for the summary of a CI job.

use super::Report;

/// The Markdown.
pub fn render(report: &Report) -> String {
    report.profile.name.clone()
}
