//! The profiles that brownout runs with.

use std::fs;
use std::path::{Path, PathBuf};

/// What brownout is told to do, which in effect is nothing, and what it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rules {
    /// No rules at all.
    None,
    /// One that never fires.
    Idle,
    /// A latency of nothing on every link and both ways.
    Zero,
    /// A hundred whose topics do not occur.
    Hundred,
    /// A latency of 50 ms towards the hub on every link.
    Late,
    /// The same of 3 s.
    Held,
    /// No rules, and a second core.
    SecondCore,
}

impl Rules {
    /// What this adds to the name of the build.
    pub fn suffix(self) -> &'static str {
        match self {
            Rules::None => "",
            Rules::Idle => "+idle",
            Rules::Zero => "+0ms",
            Rules::Hundred => "+100",
            Rules::Late => "+50ms",
            Rules::Held => "+3s",
            Rules::SecondCore => "+core",
        }
    }

    /// Writes the profile into this directory.
    pub fn write(self, directory: &Path) -> PathBuf {
        let path = directory.join("bench.yaml");
        let head = "brownout: 1\nname: bench\nsummary: Nothing happens.\nduration: 2h\nrules:";
        fs::write(&path, format!("{head}{}", self.rules())).unwrap();
        path
    }

    fn rules(self) -> String {
        match self {
            Rules::None | Rules::SecondCore => " []\n".to_owned(),
            Rules::Idle => {
                "\n  - { id: idle, when: { at: 1h }, fault: { latency: { fixed: 1s, direction: both } } }\n"
                    .to_owned()
            }
            Rules::Zero => {
                "\n  - { id: zero, when: { at: 0s }, fault: { latency: { fixed: 0s, direction: both } } }\n"
                    .to_owned()
            }
            Rules::Late => late("50ms"),
            Rules::Held => late("3s"),
            Rules::Hundred => (0..100).fold("\n".to_owned(), |text, n| text + &no_match(n)),
        }
    }
}

fn late(by: &str) -> String {
    format!(
        "\n  - {{ id: late, when: {{ at: 0s }}, fault: {{ latency: {{ fixed: {by}, direction: up }} }} }}\n"
    )
}

fn no_match(n: u32) -> String {
    let what = format!("what: {{ packet: publish, topic: \"other/{n}/#\" }}");
    format!("  - {{ id: other-{n}, {what}, fault: {{ drop: {{}} }} }}\n")
}
