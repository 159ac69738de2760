//! The profiles that come with brownout, built in.

use super::nearest::nearest;

/// A shipped profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Its name, which is the file's too.
    pub name: &'static str,
    /// Its text, comments and all.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(Shipped { name: $name, text: include_str!(concat!("../../profiles/", $name, ".yaml")) }),*]
    };
}

const ALL: &[Shipped] = shipped![
    "demo",
    "accept-then-reset",
    "control",
    "deaf-hub",
    "device-crash",
    "fin-without-disconnect",
    "flapping-link",
    "hub-transient-failure",
    "keepalive-blackhole",
    "keepalive-blackhole-above",
    "keepalive-blackhole-below",
    "lossy-cellular",
    "lost-pingresp",
    "lost-puback",
    "mid-packet-cut",
    "nat-idle-timeout",
    "one-way",
    "reset-during-resend",
    "rst-one-sided",
    "rst-without-disconnect",
    "sas-token-expiry",
    "satellite",
    "server-keepalive",
    "service-upgrade",
    "session-lost",
    "slow-consumer",
    "slow-link",
    "slow-loris-hub",
    "swallow-connect",
    "takeover-fight",
    "tls-handshake-trouble",
    "tls-record-damage",
];

/// No shipped profile has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no shipped profile `{name}`{}; there are: {}", self.meant(), names())]
pub struct NotShipped {
    name: String,
}

/// All of them, by name.
pub fn all() -> &'static [Shipped] {
    ALL
}

/// The one of that name.
///
/// # Errors
/// Says which name is nearest, and which there are.
pub fn find(name: &str) -> Result<Shipped, NotShipped> {
    ALL.iter()
        .copied()
        .find(|shipped| shipped.name == name)
        .ok_or_else(|| NotShipped { name: name.to_owned() })
}

impl NotShipped {
    fn meant(&self) -> String {
        nearest(&self.name, ALL.iter().map(|shipped| shipped.name))
            .map(|name| format!("; did you mean `{name}`?"))
            .unwrap_or_default()
    }
}

fn names() -> String {
    ALL.iter().map(|shipped| shipped.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_by_name_and_missed_with_the_nearest() {
        assert_eq!(find("demo").map(|shipped| shipped.name), Ok("demo"));
        let missed = find("keepalive-blackhol").unwrap_err().to_string();
        let expected = "there is no shipped profile `keepalive-blackhol`; did you mean `keepalive-blackhole`?; there are: \
                        demo, accept-then-reset, ";
        assert!(missed.starts_with(expected) && missed.ends_with(", tls-record-damage"), "{missed}");
    }
}
