//! PEM files.
