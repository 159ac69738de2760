//! temp
pub mod kind;
pub use kind::*;
