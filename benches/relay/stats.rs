//! Medians, quantiles, and how far rounds lie apart.

/// The middle one of at least one; of an even number, the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (lower, upper) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(lower, upper)
}

/// The value that this many hundredths do not exceed, of at least one; sorts.
pub fn percentile(values: &mut [f64], hundredths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * hundredths / 100).min(values.len() - 1)]
}

/// What the rounds say: their median, the least and the most.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// Of the rounds that have a figure.
pub fn spread(values: impl Iterator<Item = Option<f64>>) -> Option<Spread> {
    let values: Vec<f64> = values.flatten().collect();
    let min = values.iter().copied().reduce(f64::min)?;
    let max = values.iter().copied().reduce(f64::max)?;
    Some(Spread { median: median(values), min, max })
}

/// A count as a figure.
#[allow(clippy::cast_precision_loss, reason = "counts here are far below 2^53")]
pub fn float(count: usize) -> f64 {
    count as f64
}
