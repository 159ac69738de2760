//! The page without its style and script, held against a golden; and what must hold of every page.
