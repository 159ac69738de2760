use super::*;
use crate::keepalive::expect::{Expectation, judge};
use crate::keepalive::fixtures::{large, row, small, sweep_of};
use crate::report::table::width;

/// Of scripts that run the other way, that take two columns, that are markup.
fn any_script() -> Sweep {
    let names = [
        "水位センサー/東京",
        "\u{202e}evil",
        "<img src=x onerror=alert(1)>",
        "a\"b,c\r\nd",
        "</script><!--",
        "مقياس ",
        "e\u{301}\u{301}\u{301}",
    ];
    let rows = names.iter().enumerate().map(|(nth, name)| {
        let mut row = row(60, 70 + u64::try_from(nth).unwrap(), 1);
        row.case.client = (*name).to_owned();
        row.case.outages = format!("trace:{name}");
        row
    });
    let mut sweep = sweep_of(rows.collect());
    sweep.terms.hub = "<b>hub</b>\u{1b}[2J".into();
    sweep
}

fn verdicts_of(sweep: &Sweep) -> Vec<crate::keepalive::expect::Verdict> {
    let expectations: Vec<Expectation> = [
        "device_detection p95 <= 1.5 keepalive",
        "device_detection max <= 1h where keepalive=60",
        "storm_peak <= 500",
        "data <= 5MB/month where client=nobody",
    ]
    .iter()
    .map(|text| text.parse().unwrap())
    .collect();
    judge(&expectations, sweep)
}

fn shown_text(sweep: &Sweep, width: usize) -> String {
    text(sweep, width, false) + &verdicts(&verdicts_of(sweep), sweep, width, false)
}

#[test]
fn text_of_few() {
    insta::assert_snapshot!(shown_text(&small(), 80));
}

#[test]
fn text_of_many() {
    insta::assert_snapshot!(shown_text(&large(), 80));
}

#[test]
fn text_of_none() {
    insta::assert_snapshot!(shown_text(&sweep_of(Vec::new()), 80));
}

#[test]
fn text_of_any_script() {
    insta::assert_snapshot!(shown_text(&any_script(), 100));
}

#[test]
fn no_line_is_wider_than_asked_for() {
    for sweep in [small(), large(), any_script(), sweep_of(Vec::new())] {
        for wide in [40, 60, 80, 120, 200] {
            let text = shown_text(&sweep, wide);
            for line in text.lines() {
                assert!(width(line) <= wide, "{wide}: {line}");
            }
            assert!(!text.contains('\u{1b}'), "{text}");
        }
        let plain = text(&sweep, 80, false);
        let coloured = anstream::adapter::strip_str(&text(&sweep, 80, true)).to_string();
        assert_eq!(coloured, plain);
    }
}

/// What no such client would run with is not read as its figures.
#[test]
fn keep_alives_that_a_client_refuses_stand_out() {
    let said = |cases: &[(&str, u16)]| {
        let rows = cases.iter().map(|(client, keep_alive)| {
            let mut row = row(*keep_alive, 5, 1);
            row.case.client = (*client).into();
            row
        });
        remarks::remarks(&sweep_of(rows.collect())).into_iter().find(|remark| remark.contains("refuses"))
    };
    let mixed =
        [("mosquitto", 4), ("mosquitto", 5), ("azure-python", 1741), ("paho-python", 1), ("other", 1)];
    assert_eq!(
        said(&mixed).unwrap(),
        "In 2 of 5 combinations the client refuses the keep-alive (azure-python takes 1 to 1740 s, mosquitto takes 5 s or \
         more): they are of no real device."
    );
    assert_eq!(said(&[("mosquitto", 0), ("mosquitto", 5), ("azure-python", 1740)]), None);
}

#[test]
fn as_csv() {
    insta::assert_snapshot!(csv(&small()).replace('\r', ""));
}

#[test]
fn as_csv_of_any_script() {
    let text = csv(&any_script());
    assert_eq!(text.matches("\r\n").count(), 1 + 7 + 2, "a line each, and two within quotes");
    insta::assert_snapshot!(text.replace('\r', "\\r"));
}

#[test]
fn as_json_and_back() {
    for sweep in [small(), large(), any_script(), sweep_of(Vec::new())] {
        assert_eq!(serde_json::from_str::<Sweep>(&json(&sweep)).unwrap(), sweep);
    }
    insta::assert_snapshot!(json(&small()).lines().take(6).collect::<Vec<_>>().join("\n"));
}

#[test]
fn as_junit() {
    insta::assert_snapshot!(junit(&small(), &verdicts_of(&small())));
}

#[test]
fn as_html() {
    insta::assert_snapshot!(html::page(&small(), &verdicts_of(&small()), "", ""));
}

#[test]
fn as_html_of_many() {
    insta::assert_snapshot!(html::page(&large(), &[], "", ""));
}

#[test]
fn as_html_of_none() {
    insta::assert_snapshot!(html::page(&sweep_of(Vec::new()), &verdicts_of(&sweep_of(Vec::new())), "", ""));
}

#[test]
fn no_name_is_markup() {
    let sweep = any_script();
    let page = html::page(&sweep, &verdicts_of(&sweep), "", "");
    for wrong in ["<img", "</script><!--", "<b>hub", "\u{202e}", "\u{1b}"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
    assert!(page.contains("水位センサー/東京") && page.contains("&lt;img src=x"));
    insta::assert_snapshot!(page);
}

/// More than a page holds: what is left out is said, and the file stays small.
#[test]
fn a_page_is_bounded() {
    let mut sweep = sweep_of(Vec::new());
    for nth in 0..100_u16 {
        for client in 0..3 {
            for outages in 0..40 {
                let mut row = row(nth * 11, 60 + u64::from(nth % 7) * 1000, 1 + u64::from(nth));
                row.case.client = format!("client-{client}");
                row.case.outages = format!("fixed:{outages}m,every=6h");
                row.case.loss = f64::from(outages % 5) / 100.0;
                sweep.cases.push(row);
            }
        }
    }
    let page = html(&sweep, &[]);
    assert!(page.len() < 6_000_000, "{}", page.len());
    for said in [
        "The maps show 64 of 100 values of keep-alive",
        "The maps show 24 of 40 values of outages",
        "the maps hold those of the first 13 choices",
        "Of 12000 combinations at most 2000 are drawn",
        "The first 200 of 12000",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn figures_in_few_characters() {
    let cases = [
        (0.0, "0 s"),
        (0.0004, "1 ms"),
        (0.412, "412 ms"),
        (31.24, "31.2 s"),
        (152.0, "152 s"),
        (750.0, "12.5 m"),
        (9000.0, "2.5 h"),
        (500_000.0, "5.8 d"),
    ];
    assert!(cases.iter().all(|(seconds, expected)| brief(*seconds) == *expected));
    let cases = [
        (0.0, "0 B"),
        (999.0, "999 B"),
        (999.6, "1.0 kB"),
        (4.5e6, "4.5 MB"),
        (12.3e9, "12 GB"),
        (1e30, "1000000000000000 PB"),
    ];
    assert!(cases.iter().all(|(number, expected)| bytes(*number) == *expected));
    let cases =
        [(0.0, "0"), (0.0001, "<0.001"), (0.125, "0.125"), (2.5, "2.5"), (31.25, "31.2"), (1440.0, "1440")];
    assert!(cases.iter().all(|(value, expected)| number(*value) == *expected));
}
