//! temp
use serde::{Deserialize, Serialize};
use std::time::Duration;
/// t
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum DelayModel {
    /// t
    Fixed {
        /// t
        delay: Duration,
    },
}
impl DelayModel {
    /// t
    pub fn sample(&self, _a: f64, _b: f64) -> Duration {
        match self {
            DelayModel::Fixed { delay } => *delay,
        }
    }
}
