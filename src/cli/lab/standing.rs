//! What of `lab` is there: read from what `nft` and `ip` show, since no file says it.

use super::script::{NFT_TABLE, PRIORITY, PROTOCOL};
use super::setting::{Mode, Setting};
use super::tools;
use crate::cli::exit::Refusal;

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Family; 2] = [Family::V4, Family::V6];

    /// The option of `ip` for it.
    pub fn option(self) -> &'static str {
        match self {
            Family::V4 => "-4",
            Family::V6 => "-6",
        }
    }
}

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The nftables table, as `nft` lists it.
    pub table: Option<String>,
    /// The rules that are `lab`'s, as `ip rule del` takes them.
    pub rules: Vec<(Family, String)>,
    /// The tables that hold a route of `lab`'s.
    pub routes: Vec<(Family, String)>,
    /// All other rules, as `ip` shows them.
    pub others_rules: Vec<(Family, String)>,
    /// Routes of others, with their tables.
    pub others_routes: Vec<String>,
}

impl Standing {
    /// Looks.
    pub fn look() -> Result<Standing, Refusal> {
        let mut standing = Standing { table: tools::table()?, ..Standing::default() };
        for family in Family::ALL {
            // Numbers, whatever names a machine has for them.
            standing.read_rules(family, &tools::shown(family, "rule show")?);
            standing.read_routes(family, &tools::shown(family, "route show table all")?);
        }
        Ok(standing)
    }

    /// Takes in what `ip -N rule show` says.
    pub fn read_rules(&mut self, family: Family, shown: &str) {
        for line in shown.lines() {
            match own_rule(line) {
                Some(rule) => self.rules.push((family, rule)),
                None => {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    self.others_rules.push((family, words.join(" ")));
                }
            }
        }
    }

    /// Takes in what `ip -N route show table all` says.
    pub fn read_routes(&mut self, family: Family, shown: &str) {
        for line in shown.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(table) = value_after(&words, "table") else { continue };
            // A number for the type, too: RTN_LOCAL is 2 (rtnetlink(7)).
            let is_local =
                ["local", "2"].iter().any(|kind| words.starts_with(&[kind, "default", "dev", "lo"]));
            let is_ours = is_local && value_after(&words, "proto") == Some(PROTOCOL);
            if is_ours {
                self.routes.push((family, table.to_owned()));
            } else {
                self.others_routes.push(line.trim().to_owned());
            }
        }
    }

    /// What is `lab`'s of it, and not of another's.
    pub fn without(&self, other: &Standing) -> Standing {
        let beyond = |own: &[(Family, String)], others: &[(Family, String)]| {
            own.iter().filter(|item| !others.contains(item)).cloned().collect()
        };
        Standing {
            table: self.table.clone().filter(|_| other.table.is_none()),
            rules: beyond(&self.rules, &other.rules),
            routes: beyond(&self.routes, &other.routes),
            ..Standing::default()
        }
    }

    /// Whether anything is there.
    pub fn is_up(&self) -> bool {
        self.table.is_some() || !self.rules.is_empty() || !self.routes.is_empty()
    }

    /// Whether all is there that belongs together, on a machine with IPv6 or without: the table leads both families.
    pub fn is_whole(&self, ipv6: bool) -> bool {
        let Some(table) = &self.table else { return false };
        let families =
            |what: &[(Family, String)]| Family::ALL.map(|family| what.iter().any(|(of, _)| *of == family));
        let (rules, routes) = (families(&self.rules), families(&self.routes));
        let wanted = Family::ALL.map(|family| ipv6 || family == Family::V4);
        let routed = (0..wanted.len()).all(|of| !wanted[of] || rules[of] && routes[of]);
        if table.contains("tproxy") { routed } else { true }
    }

    /// What of others would be mistaken for what is to be set.
    pub fn collision(&self, setting: &Setting) -> Option<String> {
        if setting.mode == Mode::Redirect {
            return None;
        }
        let (mark, table) = (setting.mark, setting.table.to_string());
        let by_mark = self.others_rules.iter().find(|(_, line)| {
            let words: Vec<&str> = line.split_whitespace().collect();
            value_after(&words, "fwmark").is_some_and(|theirs| covers(theirs, mark))
        });
        if let Some((_, rule)) = by_mark {
            return Some(format!(
                "there is a rule for the mark {mark:#x} already (`{rule}`); give another with --mark"
            ));
        }
        let in_table = self.others_routes.iter().find(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            value_after(&words, "table") == Some(table.as_str())
        });
        in_table.map(|route| {
            format!("the routing table {table} is in use (`{route}`); give another with --table")
        })
    }

    /// Which rules of others come before those of a setting, and may route its packets elsewhere.
    pub fn before(&self, setting: &Setting) -> Option<String> {
        /// More are counted.
        const NAMED: usize = 3;
        let comes = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let priority = words.first().and_then(|word| word.trim_end_matches(':').parse::<u32>().ok());
            // The kernel's own takes local addresses alone.
            let is_kernels = matches!(words[..], ["0:", "from", "all", "lookup", "local" | "255"]);
            let by_mark = value_after(&words, "fwmark").is_none_or(|theirs| covers(theirs, setting.mark));
            let is_early = priority.is_some_and(|priority| priority <= PRIORITY);
            // `not` stands before all that it turns round.
            is_early && !is_kernels && (by_mark || words.contains(&"not"))
        };
        let mut found: Vec<String> = self
            .others_rules
            .iter()
            .filter(|(_, line)| comes(line))
            .map(|(family, line)| format!("`{line}` (ip {} rule)", family.option()))
            .collect();
        if setting.mode == Mode::Redirect || found.is_empty() {
            return None;
        }
        let more = found.len().saturating_sub(NAMED);
        found.truncate(NAMED);
        if more > 0 {
            found.push(format!("{more} more"));
        }
        Some(format!(
            "note: rules of others come before lab's (pref {PRIORITY}), and what they take of brownout's packets does not come \
             to brownout: {}",
            found.join(", ")
        ))
    }

    /// What is there, in lines.
    pub fn lines(&self) -> Vec<String> {
        let rules = self.rules.iter().map(|(family, rule)| format!("ip {} rule: {rule}", family.option()));
        let routes = self.routes.iter().map(|(family, table)| {
            format!("ip {} route: local default dev lo table {table} proto {PROTOCOL}", family.option())
        });
        let table = self.table.iter().flat_map(|table| table.lines()).map(str::to_owned);
        let gone = self.table.is_none().then(|| format!("table inet {NFT_TABLE}: gone"));
        rules.chain(routes).chain(table).chain(gone).collect()
    }
}

/// A rule as `ip rule del` takes it, if it is word for word what `up` writes.
fn own_rule(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [priority, "from", "all", "fwmark", mark, "lookup", table, "proto", PROTOCOL] = words[..] else {
        return None;
    };
    let is_ours = priority.trim_end_matches(':').parse() == Ok(PRIORITY) && !mark.contains('/');
    is_ours.then(|| format!("pref {PRIORITY} fwmark {mark} lookup {table} protocol {PROTOCOL}"))
}

/// The word after a key.
fn value_after<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == key)?;
    words.get(at + 1).copied()
}

/// Whether a rule's `fwmark` (MARK or MARK/MASK) is met by a packet with this mark.
fn covers(theirs: &str, mark: u32) -> bool {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    let (value, mask) = theirs.split_once('/').unwrap_or((theirs, "0xffffffff"));
    match (number(value), number(mask)) {
        (Some(value), Some(mask)) => mark & mask == value,
        (_, _) => false,
    }
}
