//! A live run as text, at most 80 columns wide.

use super::model::{Bounds, Held, Live, Mode, Row, Verdict};
use crate::base::span::show_fixed;
use crate::base::text::printable;
use crate::report::Styling;
use crate::report::table::{Cell, Tone, lay_out, paint, wrap};
use std::fmt::Write;
use std::time::Duration;

/// What a bracket of a device means.
const BY_CONNECT: &str = "Where packets vanish, a device that gives up shows it with its next connect: what was seen of it \
                          ends there, and `off` is from where that was predicted.";

/// Timers of this machine may be late by this part of what a difference may be.
const LATE_PART: u64 = 3;

/// All of it.
pub fn text(live: &Live, styling: Styling) -> String {
    let mut text = heading(live, styling);
    if !live.rows.is_empty() {
        let _ = write!(text, "\n{}", table(live, styling));
    }
    for note in notes(live) {
        text.push_str(&wrap("- ", &note));
    }
    let _ = write!(text, "\n{}", conclusion(live, styling));
    text
}

fn heading(live: &Live, styling: Styling) -> String {
    let device = match (live.command.as_slice(), live.mode) {
        ([], _) => "a device that was there".to_owned(),
        (command, Mode::Restart) => {
            format!("`{}`, started anew for each outage", printable(&command.join(" ")))
        }
        (command, Mode::ServerKeepAlive) => {
            format!("`{}`, told its keep-alives by Server Keep Alive", printable(&command.join(" ")))
        }
    };
    let first = paint("keep-alive live", Tone::Strong, styling);
    let told = format!(
        "{device}; hub {}. Predicted by simulation for client `{}`, workload {}, and a hub like `{}`.",
        printable(&live.upstream),
        live.client,
        printable(&live.workload),
        live.hub
    );
    format!("{first}\n{}", wrap("  ", &told))
}

fn table(live: &Live, styling: Styling) -> String {
    // What is empty has no looks, so that lines can end before it.
    let strong = |text: &str| Cell::new(text, if text.is_empty() { Tone::Normal } else { Tone::Strong });
    let faint = |text: &str| Cell::new(text, if text.is_empty() { Tone::Normal } else { Tone::Faint });
    let mut rows = vec![
        ["", "outage", "device", "", "", "hub", "", "", ""].map(strong).to_vec(),
        ["K", "s", "predicted", "seen", "off", "predicted", "seen", "off", ""].map(faint).to_vec(),
    ];
    rows.extend(live.rows.iter().map(|row| {
        let mut cells =
            vec![Cell::plain(format!("{}s", row.keep_alive)), Cell::plain(seconds(row.outage_ns))];
        cells.extend(cells_of(&row.device));
        cells.extend(cells_of(&row.hub));
        cells.push(Cell::new(row.verdict.word(), tone(row.verdict)));
        cells
    }));
    let mut text = lay_out(&rows, styling);
    let recovered: Vec<&Row> = live.rows.iter().filter(|row| has_recovery(row)).collect();
    if !recovered.is_empty() {
        let mut rows = vec![
            ["", "outage", "back after", "", "", ""].map(strong).to_vec(),
            ["K", "s", "predicted", "seen", "off", ""].map(faint).to_vec(),
        ];
        rows.extend(recovered.into_iter().map(|row| {
            let mut cells =
                vec![Cell::plain(format!("{}s", row.keep_alive)), Cell::plain(seconds(row.outage_ns))];
            cells.extend(cells_of(&row.recovery));
            cells.push(Cell::new(row.recovery.verdict.word(), tone(row.recovery.verdict)));
            cells
        }));
        let _ = write!(text, "\n{}", lay_out(&rows, styling));
    }
    text
}

fn has_recovery(row: &Row) -> bool {
    row.recovery.predicted.is_some() || row.recovery.measured.is_some()
}

fn cells_of(held: &Held) -> [Cell; 3] {
    let predicted = match (held.predicted, held.predicted_never) {
        (Some(bounds), false) => between(bounds),
        (Some(bounds), true) => format!("no/{}", between(bounds)),
        (None, true) => "no".to_owned(),
        // Of an outage that was not.
        (None, false) => "-".to_owned(),
    };
    let measured = match (held.measured, held.measured_never) {
        (Some(bounds), _) => between(bounds),
        (None, true) => "no".to_owned(),
        (None, false) => "?".to_owned(),
    };
    let off = match held.difference_ns {
        None => String::new(),
        Some(0) => "0".to_owned(),
        Some(apart) => {
            let sign = if apart < 0 { '-' } else { '+' };
            format!("{sign}{}", fine(apart.unsigned_abs()))
        }
    };
    let tone = if held.verdict == Verdict::Differs { Tone::Bad } else { Tone::Normal };
    [Cell::plain(predicted), Cell::new(measured, tone), Cell::new(off, tone)]
}

/// Two times, or one.
fn between(Bounds { least_ns, most_ns }: Bounds) -> String {
    // What is shown as one and the same.
    if most_ns - least_ns < 20_000_000 {
        return fine(most_ns);
    }
    format!("{}..{}", coarse(least_ns), coarse(most_ns))
}

fn fine(nanos: u64) -> String {
    format!("{:.2}", Duration::from_nanos(nanos).as_secs_f64())
}

fn coarse(nanos: u64) -> String {
    format!("{:.1}", Duration::from_nanos(nanos).as_secs_f64())
}

fn seconds(nanos: u64) -> String {
    format!("{}", Duration::from_nanos(nanos).as_secs_f64())
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Agrees => Tone::Good,
        Verdict::Inconclusive => Tone::Normal,
        Verdict::Differs => Tone::Bad,
    }
}

/// What is to be said beside the table, each only once.
fn notes(live: &Live) -> Vec<String> {
    let mut notes = live.notes.clone();
    if live.rows.iter().any(|row| row.device.predicted_connect.is_some()) {
        notes.push(BY_CONNECT.to_owned());
    }
    for row in &live.rows {
        let of_row =
            |note: &String| format!("{}s, outage of {} s: {note}", row.keep_alive, seconds(row.outage_ns));
        notes.extend(row.no_evidence.iter().map(|why| of_row(&format!("no evidence: {why}"))));
        notes.extend(row.notes.iter().map(of_row));
    }
    let late = live.rows.iter().map(|row| row.late_ns).max().unwrap_or(0);
    if late > live.within_ns / LATE_PART {
        let late = Duration::from_nanos(late).as_millis();
        notes.push(format!("This machine did not keep up: timers were up to {late} ms late."));
    }
    notes
}

fn conclusion(live: &Live, styling: Styling) -> String {
    let (verdict, within) = (live.verdict(), show_fixed(Duration::from_nanos(live.within_ns)));
    let detections: Vec<_> = live.held().filter(|(_, what, _)| *what != "recovery").collect();
    let agreeing = detections.iter().filter(|(_, _, held)| held.verdict == Verdict::Agrees).count();
    let unclear = detections.iter().filter(|(_, _, held)| held.verdict == Verdict::Inconclusive).count();
    let mut told = format!(
        "{agreeing} of {} detections and non-detections as predicted, within {within}",
        detections.len()
    );
    if unclear > 0 {
        let _ = write!(told, "; {unclear} without evidence");
    }
    if let Some((row, what, apart)) = largest(live) {
        let _ = write!(
            told,
            "; largest difference {} s ({what}, keep-alive {} s, outage {} s)",
            fine(apart),
            row.keep_alive,
            seconds(row.outage_ns)
        );
    }
    let widest = detections.iter().filter_map(|(_, _, held)| held.predicted);
    let widest = widest.map(|bounds| bounds.most_ns - bounds.least_ns).max().unwrap_or(0);
    if widest >= 20_000_000 {
        let _ = write!(told, "; predictions are up to {} s wide", coarse(widest));
    }
    let recoveries: Vec<_> = live.rows.iter().filter(|row| has_recovery(row)).collect();
    if !recoveries.is_empty() {
        let agreeing = recoveries.iter().filter(|row| row.recovery.verdict == Verdict::Agrees).count();
        let _ = write!(
            told,
            "; {agreeing} of {} recoveries as predicted, which are not judged",
            recoveries.len()
        );
    }
    for bare in live.bare() {
        let _ = write!(told, "; no evidence of {} at keep-alive {} s", bare.what, bare.asked);
    }
    if live.missing() > 0 {
        let _ = write!(told, "; {} of {} outages are missing", live.missing(), live.planned);
    }
    if live.interrupted {
        told.push_str("; interrupted before the end");
    }
    told.push('.');
    let word = paint(verdict.word(), tone(verdict), styling);
    format!("{word}\n{}", wrap("  ", &told))
}

/// The largest of the differences.
fn largest(live: &Live) -> Option<(&Row, &'static str, u64)> {
    let of_detection = live.held().filter(|(_, what, _)| *what != "recovery");
    let apart =
        |(row, what, held): (_, _, &Held)| held.difference_ns.map(|apart| (row, what, apart.unsigned_abs()));
    of_detection.filter_map(apart).max_by_key(|(_, _, apart)| *apart)
}

#[cfg(test)]
mod tests {
    use super::super::{Case, Foretold, Guess, Measured, Seen, VERSION};
    use super::*;
    use crate::measure::Value;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn row(keep_alive: u16, outage: u64, foretold: [Guess; 3], seen: [Seen; 3]) -> Row {
        let case = Case {
            keep_alive,
            server_keep_alive: false,
            delay: ms(2_000),
            outage: ms(outage),
            round: 1,
            settle: ms(5_000),
            limit: ms(60_000),
        };
        let [device, hub, recovery] = foretold;
        let foretold = Foretold { device, connect: Guess::default(), hub, recovery };
        let [device, hub, recovery] = seen;
        Row::of(
            &case,
            keep_alive,
            &foretold,
            Measured { device, connect: None, no_connect: false, hub, recovery },
            ms(1_500),
        )
    }

    fn live() -> Live {
        let at = |least, most| Guess { at: Some((ms(least), ms(most))), never: false };
        let no = Guess { at: None, never: true };
        let either = Guess { at: Some((ms(94_000), ms(99_100))), never: true };
        let exact = |millis| Seen::At(Value::Exact(ms(millis)));
        let between = |after, before| Seen::At(Value::Between { after: ms(after), before: ms(before) });
        let mut rows = vec![
            row(4, 4_500, [no, no, no], [Seen::Never; 3]),
            row(
                4,
                13_500,
                [at(8_000, 8_000), at(6_000, 11_900), at(900, 2_100)],
                [exact(8_410), exact(9_000), exact(1_000)],
            ),
            row(
                60,
                99_000,
                [at(120_000, 120_000), either, no],
                [between(50_000, 118_200), Seen::Never, Seen::Unknown],
            ),
            row(
                60,
                130_000,
                [at(120_000, 120_000), either, at(10, 10)],
                [exact(98_000), Seen::Unknown, exact(20)],
            ),
        ];
        rows[2].notes.push("the device asked for a keep-alive of 30 s".into());
        Live {
            brownout_keepalive_live: VERSION,
            wall_clock: "2026-01-01T00:00:00Z".into(),
            lasted_ns: 1,
            upstream: "127.0.0.1:1883".into(),
            command: ["mosquitto_sub", "-t", "a/rather/long/topic/of/a/device", "-k", "4"]
                .map(String::from)
                .to_vec(),
            client: "mosquitto".into(),
            hub: "mosquitto".into(),
            workload: "idle".into(),
            mode: Mode::Restart,
            within_ns: 1_500_000_000,
            notes: vec!["Runs were made one by one.".into()],
            planned: 4,
            interrupted: false,
            rows,
        }
    }

    #[test]
    fn it_fits_a_terminal_and_says_it_all() {
        let shown = text(&live(), Styling::Plain);
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn an_end_without_evidence_and_a_missing_outage_leave_it_open() {
        let of = |rows: Vec<Row>, planned| Live { rows, planned, ..live() };
        let never = Guess { at: None, never: true };
        let seen = |device, hub| row(4, 1_000, [never; 3], [device, hub, Seen::Never]);
        let whole = of(vec![seen(Seen::Never, Seen::Unknown), seen(Seen::Unknown, Seen::Never)], 2);
        assert_eq!(whole.verdict(), Verdict::Agrees);
        assert_eq!(of(whole.rows.clone(), 3).verdict(), Verdict::Inconclusive);
        assert!(text(&of(whole.rows, 3), Styling::Plain).contains("1 of 3 outages are missing"));
        let half = of(vec![seen(Seen::Unknown, Seen::Never); 2], 2);
        let bare =
            |live: &Live| live.bare().into_iter().map(|bare| (bare.asked, bare.what)).collect::<Vec<_>>();
        assert_eq!((half.verdict(), bare(&half)), (Verdict::Inconclusive, vec![(4, "the device")]));
        assert!(text(&half, Styling::Plain).contains("no evidence of the device at"));
        let mut other = seen(Seen::Unknown, Seen::Never);
        other.asked = 8;
        let mixed = of(vec![seen(Seen::Never, Seen::Never), other], 2);
        assert_eq!((mixed.verdict(), bare(&mixed)), (Verdict::Inconclusive, vec![(8, "the device")]));
        let unjudged = of(vec![seen(Seen::At(Value::Exact(ms(100))), Seen::Never).unjudged()], 1);
        assert_eq!(unjudged.verdict(), Verdict::Inconclusive);
    }

    /// An end that bore the short outages, and gave no sign in the long one, was not seen to give up.
    #[test]
    fn an_end_that_was_not_seen_to_give_up_leaves_it_open() {
        let (gives_up, never) =
            (Guess { at: Some((ms(6_000), ms(6_000))), never: false }, Guess { at: None, never: true });
        let gone = Seen::At(Value::Exact(ms(6_100)));
        let of = |long: [Seen; 2], short: [Seen; 2]| {
            let long = row(4, 12_000, [gives_up, gives_up, never], [long[0], long[1], Seen::Never]);
            let short = row(4, 3_000, [never; 3], [short[0], short[1], Seen::Never]);
            Live { rows: vec![short, long], planned: 2, ..live() }
        };
        let verdict =
            |live: Live| (live.verdict(), live.bare().into_iter().map(|bare| bare.what).collect::<Vec<_>>());
        let (never, unknown) = (Seen::Never, Seen::Unknown);
        assert_eq!(verdict(of([gone, gone], [never, never])), (Verdict::Agrees, vec![]));
        let unseen = of([unknown, gone], [never, never]);
        let shown = text(&unseen, Styling::Plain).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains("no evidence of the device giving up at keep-alive 4 s"), "{shown}");
        assert_eq!(verdict(unseen), (Verdict::Inconclusive, vec!["the device giving up"]));
        let unborne = verdict(of([gone, gone], [never, unknown]));
        assert_eq!(unborne, (Verdict::Inconclusive, vec!["the hub bearing an outage"]));
        // One of its like is enough.
        let mut two = of([unknown, gone], [never, never]);
        two.rows.extend(of([gone, gone], [never, never]).rows);
        assert_eq!(verdict(Live { planned: 4, ..two }), (Verdict::Agrees, vec![]));
    }

    /// What agrees by chance, or differs, while the hub was away is neither.
    #[test]
    fn an_outage_without_evidence_is_not_judged_and_says_why() {
        let why = "the hub was not there all the while (127.0.0.1:1883: Connection refused)";
        let mut live = live();
        live.rows.truncate(3);
        live.rows.drain(..1);
        live.planned = 2;
        live.rows = live.rows.into_iter().map(|row| row.without_evidence(why.into())).collect();
        assert_eq!(live.verdict(), Verdict::Inconclusive);
        assert!(live.held().all(|(_, _, held)| held.measured.is_none() && held.difference_ns.is_none()));
        let shown = text(&live, Styling::Plain);
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn its_json_is_of_one_line_of_fields() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&live().rows[1]).unwrap());
    }
}
