//! A sweep as JSON, and back: the model as it is, a line for each combination, so that two sweeps can be compared by lines.

use crate::keepalive::model::{Sweep, VERSION};
use serde::Deserialize;

/// The JSON.
pub fn json(sweep: &Sweep) -> String {
    let terms = serde_json::to_string(&sweep.terms).unwrap_or_default();
    let rows: Vec<String> =
        sweep.cases.iter().map(|row| serde_json::to_string(row).unwrap_or_default()).collect();
    let cases = if rows.is_empty() { "[]".into() } else { format!("[\n    {}\n  ]", rows.join(",\n    ")) };
    format!(
        "{{\n  \"brownout_keepalive\": {},\n  \"terms\": {terms},\n  \"cases\": {cases}\n}}\n",
        sweep.brownout_keepalive
    )
}

/// Only the version, of whatever else it is.
#[derive(Deserialize)]
struct Versioned {
    brownout_keepalive: u32,
}

/// The sweep that JSON says.
///
/// # Errors
/// Where it is none, or of another version: what is wrong, in words.
pub fn read(json: &str) -> Result<Sweep, String> {
    let version: Versioned = serde_json::from_str(json)
        .map_err(|problem| format!("it is no sweep of `brownout keepalive`: {problem}"))?;
    if version.brownout_keepalive != VERSION {
        return Err(format!(
            "it is of version {} of the format; this brownout reads version {VERSION}",
            version.brownout_keepalive
        ));
    }
    serde_json::from_str(json).map_err(|problem| format!("it is no whole sweep: {problem}"))
}
