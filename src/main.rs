//! The `brownout` binary.
fn main() {}
