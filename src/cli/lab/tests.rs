//! The commands of each setting, and what is read from what `ip` and `nft` show.

use super::machine::{closed_chains, notes_of};
use super::rulesets;
use super::script::{Step, check, clear_before, down, shell, up};
use super::setting::{Mode, Setting, UpArgs, interface, number};
use super::standing::{Family, Standing};
use clap::Parser;

/// The arguments as the command line has them.
#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    up: UpArgs,
}

fn asked(line: &str) -> Result<Setting, String> {
    let words = ["lab"].into_iter().chain(line.split_whitespace());
    let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
    Setting::of(&line.up, true)
}

fn setting(line: &str) -> Setting {
    asked(line).unwrap()
}

#[test]
fn the_scripts() {
    let settings = [
        "--inside eth1",
        "--inside eth1,wlan0 --ports 8883,1883,8883 --fail-open --to 2000 --mark 7 --table 100",
        "--inside eth1 --mode redirect --ports 1883",
    ];
    let told = settings.map(|line| {
        let setting = setting(line);
        format!("$ brownout lab up {line}\n{setting}\n\n{}", shell("up", &up(&setting, &Standing::default())))
    });
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn without_ipv6_nothing_of_it_is_set() {
    let setting = Setting { ipv6: false, ..setting("--inside eth1") };
    let steps = up(&setting, &Standing::default());
    assert!(steps.iter().all(|step| !step.arguments.contains(&"-6".to_owned())), "{steps:?}");
    assert_eq!(steps.len(), 3);
}

fn told(steps: &[Step]) -> Vec<String> {
    steps.iter().map(|step| format!("{} {}", step.program, step.arguments.join(" "))).collect()
}

#[test]
fn what_stands_is_replaced_without_a_gap() {
    let same = setting("--inside eth1");
    assert_eq!(told(&[check(&same)]), ["nft --check -f -"]);
    assert_eq!(told(&up(&same, &there())), ["nft -f -"]);
    assert_eq!(clear_before(&same, &there()), []);
    let half = Standing { rules: there().rules[..1].to_vec(), ..there() };
    assert_eq!(told(&up(&same, &half)).len(), 2, "the rule that is gone, and the table");
    let other = setting("--inside eth1 --table 900");
    assert_eq!(told(&up(&other, &there())).len(), 5);
    assert!(told(&clear_before(&other, &there())).iter().all(|step| step.contains(" del ")));
    assert_eq!(clear_before(&other, &there()).len(), 4);
    let redirect = setting("--inside eth1 --mode redirect");
    assert_eq!(told(&up(&redirect, &there())), ["nft -f -"]);
    assert_eq!(clear_before(&redirect, &there()).len(), 4);
}

#[test]
fn undone_is_what_was_added() {
    let mut after = there();
    after.rules.push((Family::V4, "pref 1883 fwmark 0x9 lookup 9 protocol 150".into()));
    assert_eq!(
        told(&down(&after.without(&there()))),
        ["ip -4 rule del pref 1883 fwmark 0x9 lookup 9 protocol 150"]
    );
    assert_eq!(down(&there().without(&Standing::default())), down(&there()));
}

#[test]
fn what_cannot_be_asked_for() {
    for (line, words) in [
        ("", "--inside"),
        ("--inside eth1 --mode redirect --fail-open", "--fail-open needs --mode tproxy"),
        ("--inside eth1 --ports 18830", "18830 is brownout's own"),
        ("--inside eth1 --ports 1883,18831", "18831 is brownout's own"),
        ("--inside eth1 --to 65535", "65535"),
        ("--inside eth1 --ports 0", "0"),
        ("--inside eth1 --ports", "--ports"),
        ("--inside eth1 --table 254", "kernel's own"),
        ("--inside eth1 --mark 0", "`0` is no mark"),
        ("--inside eth1 --mark 0x1ffffffff", "no mark"),
        ("--inside eth\"1", "no name of an interface"),
        ("--inside sixteen-letters1", "no name of an interface"),
    ] {
        let refused = asked(line).unwrap_err();
        assert!(refused.contains(words), "{line}: {refused}");
    }
    assert!(asked("--inside eth1 --to 65534").is_ok());
    assert!(asked("--inside eth1 --ports 18829,18832").is_ok());
}

#[test]
fn names_and_numbers() {
    for name in ["eth1", "br-lan", "wlan0.10", "a", "fifteen-letters"] {
        assert!(interface(name).is_ok(), "{name}");
    }
    for name in ["", ".", "..", "eth 1", "eth*", "a/b", "é"] {
        assert!(interface(name).is_err(), "{name}");
    }
    assert_eq!(number("0x1883"), Ok(0x1883));
    assert_eq!(number("4294967295"), Ok(u32::MAX));
    for text in ["", "0", "0x", "0x0", "-1", "0x+1", "mark"] {
        assert!(number(text).is_err(), "{text}");
    }
}

const RULES: &str = "0:	from all lookup local
1883:	from all fwmark 0x1883 lookup 18830 proto 150
5210:	from all fwmark 0x80000/0xff0000 lookup 254 
32766:	from all lookup 254 
";

const ROUTES: &str = "default via 10.0.0.1 dev eth0 proto 3 
2 default dev lo table 18830 proto 150 scope 254 
default via 10.9.0.1 dev wg0 table 51820 
2 127.0.0.0/8 dev lo table 255 proto 2 scope 254 src 127.0.0.1 
";

fn there() -> Standing {
    let mut standing =
        Standing { table: Some("table inet brownout_lab { tproxy }".into()), ..Standing::default() };
    for family in Family::ALL {
        standing.read_rules(family, RULES);
        standing.read_routes(family, ROUTES);
    }
    standing
}

#[test]
fn down_takes_away_what_is_there_and_nothing_else() {
    let standing = there();
    assert!(standing.is_up() && standing.is_whole(true));
    insta::assert_snapshot!(shell("down", &down(&standing)));
    let nothing = Standing::default();
    assert!(!nothing.is_up());
    assert_eq!(down(&nothing), []);
}

#[test]
fn what_a_crash_has_left_is_seen_and_taken_away() {
    let without_table = Standing { table: None, ..there() };
    assert!(without_table.is_up() && !without_table.is_whole(true));
    assert_eq!(down(&without_table).len(), 4);
    let without_rules = Standing { rules: Vec::new(), ..there() };
    assert!(without_rules.is_up() && !without_rules.is_whole(true));
    let one_family = Standing { routes: there().routes[..1].to_vec(), ..there() };
    assert!(!one_family.is_whole(true));
    let ipv4 = |standing: &Standing| {
        let of = |all: &[(Family, String)]| all.iter().filter(|(of, _)| *of == Family::V4).cloned().collect();
        Standing { rules: of(&standing.rules), routes: of(&standing.routes), ..standing.clone() }
    };
    assert!(!ipv4(&there()).is_whole(true), "the table leads IPv6, too");
    assert!(ipv4(&there()).is_whole(false));
    let redirect = Standing { table: Some("redirect to :18830".into()), ..Standing::default() };
    assert!(redirect.is_whole(true));
}

#[test]
fn what_others_have_set_is_not_taken_for_ours() {
    let mut of_others = Standing::default();
    of_others.read_rules(Family::V4, "100:\tfrom all fwmark 0x1883 lookup 100\n");
    of_others.read_routes(Family::V4, "default via 10.0.0.1 dev eth0 table 18831 proto 150\n");
    assert!(!of_others.is_up());
    let trouble = of_others.collision(&setting("--inside eth1")).unwrap();
    assert!(trouble.contains("--mark") && trouble.contains("fwmark 0x1883"), "{trouble}");
    assert_eq!(of_others.collision(&setting("--inside eth1 --mark 0x1884")), None);
    let trouble = of_others.collision(&setting("--inside eth1 --mark 1 --table 18831")).unwrap();
    assert!(trouble.contains("--table"), "{trouble}");
    assert_eq!(of_others.collision(&setting("--inside eth1 --mode redirect")), None);
    // By its mask, a rule of others may take any mark.
    assert_eq!(there().collision(&setting("--inside eth1")), None);
    assert!(there().collision(&setting("--inside eth1 --mark 0x80001")).is_some());
}

#[test]
fn rules_of_lab_are_known_by_every_word() {
    for line in [
        "700:\tfrom all fwmark 0x9 iif j [detached] lookup 5 proto 150",
        "700:\tfrom all fwmark 0x1883 lookup 18830 proto 150",
        "1883:\tfrom all fwmark 0x1883 iif j lookup 18830 proto 150",
        "1883:\tfrom all fwmark 0x1883/0xffff lookup 18830 proto 150",
        "1883:\tnot from all fwmark 0x1883 lookup 18830 proto 150",
        "1883:\tfrom all fwmark 0x1883 lookup 18830",
    ] {
        let mut standing = Standing::default();
        standing.read_rules(Family::V4, line);
        assert!(!standing.is_up(), "{line}");
        assert_eq!(standing.others_rules.len(), 1, "{line}");
    }
}

#[test]
fn rules_that_come_first_are_told() {
    let told = |rules: &str, line: &str| {
        let mut standing = Standing::default();
        standing.read_rules(Family::V4, rules);
        standing.before(&setting(line))
    };
    assert_eq!(told(RULES, "--inside eth1"), None);
    // A mark that is not brownout's does not concern it; all but a mark does.
    let early = "100:\tfrom all fwmark 0x5 lookup 7\n101:\tnot from all fwmark 0x5 lookup 8\n1884:\tfrom all lookup 9\n";
    let note = told(early, "--inside eth1").unwrap();
    assert!(note.contains("`101:") && !note.contains("`100:") && !note.contains("1884"), "{note}");
    assert!(told(early, "--inside eth1 --mode redirect").is_none());
    let many: String = (1..=5).map(|number| format!("{number}:\tfrom 10.0.0.{number} lookup 7\n")).collect();
    let note = told(&many, "--inside eth1").unwrap();
    assert!(note.contains("`3:") && !note.contains("`4:") && note.ends_with(", 2 more"), "{note}");
}

#[test]
fn what_is_in_the_way_is_told() {
    let setting = setting("--inside eth1 --fail-open");
    let sound = |path: &str| match path {
        "ipv4/ip_forward" | "ipv6/conf/all/forwarding" => Some("1".to_owned()),
        _ => Some("0".to_owned()),
    };
    assert_eq!(notes_of(&setting, sound), Vec::<String>::new());
    let unsound = |path: &str| match path {
        "ipv4/conf/all/src_valid_mark" | "ipv4/conf/eth1/rp_filter" => Some("1".to_owned()),
        _ => Some("0".to_owned()),
    };
    let notes = notes_of(&setting, unsound);
    insta::assert_snapshot!(notes.join("\n"));
    let loose = |path: &str| (path == "ipv4/conf/all/rp_filter").then(|| "2".to_owned()).or(unsound(path));
    assert_eq!(notes_of(&setting, loose).len(), notes.len() - 1);
    assert_eq!(notes_of(&setting, |_| None), Vec::<String>::new());
}

#[test]
fn firewalls_that_drop_are_named() {
    let shown = "table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
}
table inet mine {
	chain in {
		type filter hook input priority filter; policy accept;
	}
	chain other {
	}
}
";
    let told = closed_chains(shown);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("`INPUT` of the table `ip filter`"), "{told:?}");
    assert!(closed_chains("").is_empty());
}

#[test]
fn what_is_tried_elsewhere_is_what_up_sets() {
    for (mode, tried) in [("redirect", 0), ("tproxy", 1)] {
        let setting = setting(&format!("--inside lo --mode {mode}"));
        assert_eq!(Setting::usual(setting.mode), setting);
        let set = up(&setting, &Standing::default()).pop().and_then(|step| step.input).unwrap();
        assert_eq!(rulesets("other")[tried], set.replace("brownout_lab", "other"));
    }
}

#[test]
fn modes_have_their_names() {
    assert_eq!(setting("--inside a --mode redirect").mode, Mode::Redirect);
    assert_eq!(setting("--inside a").mode, Mode::Tproxy);
}
