//! What is done for a setting, as commands: the same whether they are run or printed.

use super::setting::{Mode, Setting};
use super::standing::{Family, Standing};
use std::fmt::Write;

/// The nftables table, of the family `inet`. Nobody else's is touched.
pub(super) const NFT_TABLE: &str = "brownout_lab";

/// The protocol number that marks rules and routes as `lab`'s (rt_protos; free there, and what no routing daemon uses).
pub(super) const PROTOCOL: &str = "150";

/// The priority of the rules: after the kernel's own for local addresses, before all that are commonly set.
const PRIORITY: &str = "1883";

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
}

/// What sets it, where nothing is. Routing comes first: no packet is marked before there is a way for it.
pub(super) fn up(setting: &Setting) -> Vec<Step> {
    let Setting { mark, table, .. } = setting;
    let mut steps = Vec::new();
    if setting.mode == Mode::Tproxy {
        for family in Family::ALL.into_iter().filter(|family| setting.ipv6 || *family == Family::V4) {
            let route = format!("route add local default dev lo table {table} proto {PROTOCOL}");
            let rule =
                format!("rule add pref {PRIORITY} fwmark {mark:#x} lookup {table} protocol {PROTOCOL}");
            steps.extend([Step::ip(family, &route), Step::ip(family, &rule)]);
        }
    }
    steps.push(Step::nft(table_of(setting)));
    steps
}

/// What takes all away that is there, the other way round.
pub(super) fn down(standing: &Standing) -> Vec<Step> {
    let table = standing.table.is_some().then(|| Step::nft(format!("delete table inet {NFT_TABLE}\n")));
    table.into_iter().chain(clear_routing(standing)).collect()
}

/// What takes the rules and routes away that are there.
pub(super) fn clear_routing(standing: &Standing) -> Vec<Step> {
    let rules = standing.rules.iter().map(|(family, rule)| Step::ip(*family, &format!("rule del {rule}")));
    let routes = standing.routes.iter().map(|(family, table)| {
        Step::ip(*family, &format!("route del local default dev lo table {table} proto {PROTOCOL}"))
    });
    rules.chain(routes).collect()
}

/// The table, in the place of one that may be there: in one transaction.
fn table_of(setting: &Setting) -> String {
    let mut text = format!("table inet {NFT_TABLE} {{\n}}\ndelete table inet {NFT_TABLE}\n");
    let _ = writeln!(text, "table inet {NFT_TABLE} {{");
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
    let (why, rest) = if setting.fail_open {
        let guarded = format!("{devices} tproxy to :{} {refused}", setting.guard());
        ("brownout runs, and a fault has closed its listener", guarded)
    } else {
        ("nobody goes past brownout", format!("{devices} {refused}"))
    };
    let rules = [
        (
            "what hubs say to brownout, which has the devices' addresses there",
            format!("tcp sport {ports} socket transparent 1 meta mark set {mark:#x} counter accept"),
        ),
        (
            "errors on the way there, such as that a packet is too large",
            format!(
                "meta l4proto {{ icmp, ipv6-icmp }} socket transparent 1 meta mark set {mark:#x} counter accept"
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
