//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// Compare brownout with other relays, end to end.
#[derive(Parser)]
#[command(name = "relay", max_term_width = 100)]
pub struct Args {
    /// Only these rows (see --list)
    #[arg(long, value_delimiter = ',', value_name = "ROW,...")]
    pub rows: Vec<String>,
    /// Only these ways, of those that a row has
    #[arg(long, value_delimiter = ',', value_name = "WAY,...")]
    pub ways: Vec<String>,
    /// How often each way is measured; medians count
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Short and few rounds: to see that it works, not for figures to keep
    #[arg(long)]
    pub quick: bool,
    /// Print Markdown
    #[arg(long)]
    pub markdown: bool,
    /// End with exit code 1 where a bar is missed
    #[arg(long)]
    pub check: bool,
    /// Another build of brownout, beside the one that was built with this
    #[arg(long, value_name = "[NAME=]PATH")]
    pub brownout: Vec<String>,
    /// Another proxy: a command with {listen}, {hub}, {listen_port}, {hub_port}, {config}
    #[arg(long, value_name = "NAME=COMMAND")]
    pub proxy: Vec<String>,
    /// The file that this proxy's {config} is made of, with the same words in braces
    #[arg(long, value_name = "NAME=FILE")]
    pub proxy_config: Vec<String>,
    /// The core of whatever is in between
    #[arg(long, default_value_t = 0, value_name = "CORE")]
    pub proxy_core: usize,
    /// The core of devices and hub
    #[arg(long, default_value_t = 1, value_name = "CORE")]
    pub load_core: usize,
    /// List rows and ways
    #[arg(long)]
    pub list: bool,
    /// Be the way `copy`
    #[arg(long = "serve-copy", num_args = 2, hide = true)]
    pub copy: Option<Vec<String>>,
    /// What `cargo bench` says
    #[arg(long = "bench", hide = true)]
    pub is_bench: bool,
}

/// Splits `NAME=REST`.
pub fn named(text: &str) -> Option<(String, String)> {
    text.split_once('=').map(|(name, rest)| (name.to_owned(), rest.to_owned()))
}

/// Splits `[NAME=]PATH`; the path's last component but `brownout` names it else.
pub fn build(text: &str, nth: usize) -> (String, PathBuf) {
    let (name, path) = named(text).unwrap_or_else(|| (format!("brownout-{}", nth + 2), text.to_owned()));
    (name, PathBuf::from(path))
}
