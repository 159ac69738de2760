//! A sweep as JSON: the model as it is, a line for each combination, so that two sweeps can be compared by lines.

use crate::keepalive::model::Sweep;

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
