//! A bounded cache.
