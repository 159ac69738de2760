//! What of `lab` is there: read from what `nft` and `ip` show, since no file says it.

use super::script::{NFT_TABLE, PROTOCOL};
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
    /// Rules of others that go by a mark, as `ip` shows them.
    pub others_rules: Vec<String>,
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
            let words: Vec<&str> = line.split_whitespace().collect();
            let [mark, table, protocol] = ["fwmark", "lookup", "proto"].map(|key| value_after(&words, key));
            let priority = words.first().map(|word| word.trim_end_matches(':'));
            match (priority, mark, table, protocol) {
                (Some(priority), Some(mark), Some(table), Some(PROTOCOL)) => {
                    let rule = format!("pref {priority} fwmark {mark} lookup {table} protocol {PROTOCOL}");
                    self.rules.push((family, rule));
                }
                (_, Some(_), _, _) => self.others_rules.push(line.trim().to_owned()),
                (_, None, _, _) => {}
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

    /// Whether all is there that belongs together.
    pub fn is_whole(&self) -> bool {
        let Some(table) = &self.table else { return false };
        let families =
            |what: &[(Family, String)]| Family::ALL.map(|family| what.iter().any(|(of, _)| *of == family));
        let (rules, routes) = (families(&self.rules), families(&self.routes));
        let routed = rules == routes && rules.contains(&true);
        if table.contains("tproxy") { routed } else { true }
    }

    /// What of others would be mistaken for what is to be set.
    pub fn collision(&self, setting: &Setting) -> Option<String> {
        if setting.mode == Mode::Redirect {
            return None;
        }
        let (mark, table) = (setting.mark, setting.table.to_string());
        let by_mark = self.others_rules.iter().find(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            value_after(&words, "fwmark").is_some_and(|theirs| covers(theirs, mark))
        });
        if let Some(rule) = by_mark {
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
