//! What is done for a setting, as commands: the same whether they are run or printed.

use super::setting::{Mode, Setting};
use super::standing::{Family, Standing};
use std::fmt::Write;

/// The nftables table, of the family `inet`. Nobody else's is touched.
pub(super) const NFT_TABLE: &str = "brownout_lab";

/// The protocol number that marks rules and routes as `lab`'s (rt_protos; free there, and what no routing daemon uses).
pub(super) const PROTOCOL: &str = "150";

/// The priority of the rules: after the kernel's own for local addresses, before its others. Rules that somebody has set
/// between these come first; `up` tells of them.
pub(super) const PRIORITY: u32 = 1883;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Its program.
    pub program: &'static str,
    /// Its arguments, none of which a shell takes for anything else.
    pub arguments: Vec<String>,
    /// Its standard input.
    pub input: Option<String>,
}

impl Step {
    fn ip(family: Family, arguments: &str) -> Step {
        let arguments = family.option().split_whitespace().chain(arguments.split_whitespace());
        Step { program: "ip", arguments: arguments.map(str::to_owned).collect(), input: None }
    }

    fn nft(input: String) -> Step {
        Step { program: "nft", arguments: vec!["-f".into(), "-".into()], input: Some(input) }
    }

    /// The same, asked and not done.
    fn checked(mut self) -> Step {
        self.arguments.insert(0, "--check".into());
        self
    }
}

/// The rules and routes of a setting.
fn routing(setting: &Setting) -> Standing {
    let Setting { mark, table, .. } = setting;
    let mut wanted = Standing::default();
    if setting.mode == Mode::Tproxy {
        for family in Family::ALL.into_iter().filter(|family| setting.ipv6 || *family == Family::V4) {
            let rule = format!("pref {PRIORITY} fwmark {mark:#x} lookup {table} protocol {PROTOCOL}");
            wanted.rules.push((family, rule));
            wanted.routes.push((family, table.to_string()));
        }
    }
    wanted
}

/// Whether the kernel would take the table: it is asked before anything is changed.
pub(super) fn check(setting: &Setting) -> Step {
    Step::nft(ruleset(setting, NFT_TABLE)).checked()
}

/// What sets it beside what stands, in whose table's place its own comes in one transaction. Routing comes first: no packet
/// is marked before there is a way for it.
pub(super) fn up(setting: &Setting, before: &Standing) -> Vec<Step> {
    let Standing { rules, routes, .. } = routing(setting).without(before);
    let mut steps = Vec::new();
    for of in Family::ALL {
        let routes = routes.iter().filter(|(family, _)| *family == of);
        steps.extend(routes.map(|(_, table)| Step::ip(of, &format!("route add {}", route(table)))));
        let rules = rules.iter().filter(|(family, _)| *family == of);
        steps.extend(rules.map(|(_, rule)| Step::ip(of, &format!("rule add {rule}"))));
    }
    steps.push(Step::nft(ruleset(setting, NFT_TABLE)));
    steps
}

/// What takes the rules and routes away that stood before, and that the setting which is up now has no use for.
pub(super) fn clear_before(setting: &Setting, before: &Standing) -> Vec<Step> {
    clear_routing(&before.without(&routing(setting)))
}

fn route(table: &str) -> String {
    format!("local default dev lo table {table} proto {PROTOCOL}")
}

/// What takes all away that is there, the other way round.
pub(super) fn down(standing: &Standing) -> Vec<Step> {
    let table = standing.table.is_some().then(|| Step::nft(format!("delete table inet {NFT_TABLE}\n")));
    table.into_iter().chain(clear_routing(standing)).collect()
}

/// What takes the rules and routes away that are there.
fn clear_routing(standing: &Standing) -> Vec<Step> {
    let rules = standing.rules.iter().map(|(family, rule)| Step::ip(*family, &format!("rule del {rule}")));
    let routes = standing.routes.iter();
    let routes = routes.map(|(family, table)| Step::ip(*family, &format!("route del {}", route(table))));
    rules.chain(routes).collect()
}

/// The table, in the place of one that may be there: in one transaction.
pub(super) fn ruleset(setting: &Setting, name: &str) -> String {
    let mut text = format!("table inet {name} {{\n}}\ndelete table inet {name}\n");
    let _ = writeln!(text, "table inet {name} {{");
    match setting.mode {
        Mode::Tproxy => tproxy(&mut text, setting),
        Mode::Redirect => redirect(&mut text, setting),
    }
    text.push_str("}\n");
    text
}

fn tproxy(text: &mut String, setting: &Setting) {
    let Setting { mark, to, .. } = setting;
    let ports = set(setting.ports.iter().map(u16::to_string));
    // A hub on this machine would answer the device directly, and not brownout.
    let devices = format!("{} fib daddr type != local", devices(setting));
    let refused = "counter reject with tcp reset";
    // Brownout's listener and guard are transparent sockets, too, and found where no connection is.
    let own = set([*to, setting.guard()].iter().map(u16::to_string));
    let (why, rest) = if setting.fail_open {
        let guarded = format!("{devices} tproxy to :{} {refused}", setting.guard());
        ("brownout runs, and a fault has closed its listener", guarded)
    } else {
        ("nobody goes past brownout", format!("{devices} {refused}"))
    };
    let rules = [
        (
            "what hubs say to brownout, which has the devices' addresses there",
            // Not by `socket wildcard`, which passes over connections in TIME_WAIT: hubs' last FINs are for these.
            format!(
                "tcp sport {ports} tcp dport != {own} socket transparent 1 meta mark set {mark:#x} counter accept"
            ),
        ),
        (
            "errors on the way there, such as that a packet is too large",
            format!(
                "meta l4proto {{ icmp, ipv6-icmp }} socket wildcard 0 socket transparent 1 meta mark set {mark:#x} counter accept"
            ),
        ),
        (
            "what devices say; where brownout does not listen, it goes on to the next rule",
            format!("{devices} tproxy to :{to} meta mark set {mark:#x} counter accept"),
        ),
        (why, rest),
    ];
    chain(text, "prerouting", "type filter hook prerouting priority mangle; policy accept;", &rules);
}

fn redirect(text: &mut String, setting: &Setting) {
    let devices = devices(setting);
    let led = [("what devices connect to", format!("{devices} counter redirect to :{}", setting.to))];
    chain(text, "prerouting", "type nat hook prerouting priority dstnat; policy accept;", &led);
    // Of connections that began after it, nothing is forwarded.
    let old = [("connections of before", format!("{devices} counter reject with tcp reset"))];
    chain(text, "forward", "type filter hook forward priority filter - 10; policy accept;", &old);
}

/// Which packets are of devices on their way to hubs.
fn devices(setting: &Setting) -> String {
    let inside = set(setting.inside.iter().map(|name| format!("\"{name}\"")));
    format!("iifname {inside} tcp dport {}", set(setting.ports.iter().map(u16::to_string)))
}

fn set(members: impl Iterator<Item = String>) -> String {
    format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
}

fn chain(text: &mut String, name: &str, head: &str, rules: &[(&str, String)]) {
    let _ = writeln!(text, "  chain {name} {{\n    {head}");
    for (why, rule) in rules {
        let _ = writeln!(text, "    # {why}\n    {rule}");
    }
    text.push_str("  }\n");
}

/// The commands as a shell script that one may paste.
pub(super) fn shell(what: &str, steps: &[Step]) -> String {
    let mut text = format!("#!/bin/sh\n# brownout lab {what}; to be run as root\nset -e\n");
    if steps.is_empty() {
        text.push_str("# nothing is set\n");
    }
    for Step { program, arguments, input } in steps {
        let _ = write!(text, "{program} {}", arguments.join(" "));
        let _ = match input {
            Some(input) => writeln!(text, " <<'END'\n{input}END"),
            None => writeln!(text),
        };
    }
    text
}
