//! Holm's correction: of many tests some come out by chance.

/// The probabilities corrected for how many there are (Holm 1979): held against the level as they are, they find something
/// that is not there, anywhere among them, no more often than the level says.
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let mut corrected = vec![1.0; probabilities.len()];
    let mut greatest: f64 = 0.0;
    let mut left = probabilities.len();
    for place in order {
        let times = f64::from(u32::try_from(left).unwrap_or(u32::MAX));
        greatest = greatest.max((probabilities[place] * times).min(1.0));
        corrected[place] = greatest;
        left -= 1;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")` of R: 0.03 0.06 0.06 0.02.
    #[test]
    fn as_in_r() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(corrected.iter().zip(expected).all(|(p, e)| (p - e).abs() < 1e-12), "{corrected:?}");
        assert_eq!(holm(&[0.6, 0.7]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
