//! Searches against paths whose truth is known, in literal time.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn plan(from: Duration, to: Duration, within: &str, connections: usize) -> Plan {
    Plan::new(from, to, within.parse().unwrap(), connections).unwrap()
}

/// A path that forgets by a rule, in virtual time.
struct Path<'a> {
    /// Of the probe's number and its span: how it ends, if it does, and after how long idle.
    rule: &'a dyn Fn(u32, Duration) -> (Duration, Outcome),
    now: Duration,
    /// Probes under way, by when their outcome is there.
    under_way: BTreeMap<(Duration, u32), (Duration, Outcome)>,
    /// How long silence is waited out.
    answer_within: Duration,
}

impl Path<'_> {
    fn take(&mut self, search: &mut Search) {
        while let Some(order) = search.poll() {
            let (idle, outcome) = (self.rule)(order.probe, order.span);
            let wait =
                if outcome == Outcome::Lost(End::Silence) { self.answer_within } else { Duration::ZERO };
            self.under_way.insert((self.now + idle + wait, order.probe), (idle, outcome));
        }
    }

    /// Searches to the end; how long it took.
    fn run(&mut self, search: &mut Search) -> Duration {
        self.take(search);
        while search.state() == State::Searching {
            let ((at, probe), (idle, outcome)) =
                self.under_way.pop_first().expect("a search that waits for nothing");
            self.now = at;
            search.tell(probe, idle, outcome);
            self.take(search);
        }
        self.now
    }
}

fn path(rule: &dyn Fn(u32, Duration) -> (Duration, Outcome)) -> Path<'_> {
    Path { rule, now: Duration::ZERO, under_way: BTreeMap::new(), answer_within: secs(10) }
}

/// A middlebox with this timeout.
fn forgets(after: Duration, end: End) -> impl Fn(u32, Duration) -> (Duration, Outcome) {
    move |_, span| match (span < after, end) {
        (true, _) => (span, Outcome::Alive),
        (false, End::ResetIdle | End::Closed) => (after, Outcome::Lost(end)),
        (false, _) => (span, Outcome::Lost(end)),
    }
}

fn edge(search: &Search) -> (Duration, Duration) {
    let edge = search.known().whole().unwrap();
    (edge.alive, edge.lost)
}

#[test]
fn four_minutes_are_found_in_less_than_the_longest_span() {
    let mut search = Search::new(plan(secs(10), secs(1200), "2%,1s", 8));
    let took = path(&forgets(secs(240), End::Silence)).run(&mut search);
    let (alive, lost) = edge(&search);
    assert_eq!(search.state(), State::Done);
    assert!(alive < secs(240) && secs(240) <= lost, "{alive:?} {lost:?}");
    assert!(lost - alive <= ms(4_900), "{alive:?} {lost:?}");
    assert!(took < secs(900), "{took:?}");
    assert!(search.made() <= 24, "{}", search.made());
}

#[test]
fn the_first_wave_goes_from_the_shortest_to_the_longest_by_factors() {
    let mut search = Search::new(plan(secs(10), secs(1280), "1s", 8));
    let wave = search.poll_wave().unwrap();
    let expected = [10, 20, 40, 80, 160, 320, 640, 1280].map(secs);
    assert_eq!(wave.spans.len(), expected.len());
    for (span, expected) in wave.spans.iter().zip(expected) {
        assert!(span.abs_diff(expected) < ms(500), "{span:?} {expected:?}");
    }
    assert_eq!((wave.number, wave.again, wave.bracket), (1, false, None));
}

#[test]
fn the_next_wave_begins_as_soon_as_the_bracket_is_known() {
    let mut search = Search::new(plan(secs(10), secs(80), "1s", 4));
    let orders: Vec<Order> = std::iter::from_fn(|| search.poll()).collect();
    assert_eq!(orders.len(), 4);
    search.tell(orders[0].probe, secs(10), Outcome::Alive);
    assert_eq!(search.poll(), None);
    search.tell(orders[1].probe, secs(20), Outcome::Lost(End::Reset));
    // 40 s and 80 s are still on their way.
    let spans: Vec<Duration> = std::iter::from_fn(|| search.poll()).map(|order| order.span).collect();
    assert_eq!(spans, [secs(12), secs(14), secs(16), secs(18)]);
}

#[test]
fn a_path_that_holds_is_waited_for_to_the_longest_span() {
    let mut search = Search::new(plan(secs(10), secs(1200), "1s", 8));
    let took = path(&|_, span| (span, Outcome::Alive)).run(&mut search);
    assert_eq!((took, search.state()), (secs(1200), State::Done));
    let known = search.known();
    assert_eq!((known.first, known.longest_alive), (None, Some(secs(1200))));
}

#[test]
fn what_forgets_before_the_shortest_span_is_found_below_it() {
    let mut search = Search::new(plan(secs(10), secs(1200), "100ms", 8));
    path(&forgets(ms(1_700), End::Reset)).run(&mut search);
    let (alive, lost) = edge(&search);
    assert!(alive < ms(1_700) && ms(1_700) <= lost && lost - alive <= ms(100), "{alive:?} {lost:?}");
}

#[test]
fn a_single_loss_that_does_not_come_again_is_a_stray() {
    // The 40 s probe of the first wave is lost by chance.
    let rule = |probe, span| match probe {
        3 => (span, Outcome::Lost(End::Silence)),
        _ => forgets(secs(240), End::Silence)(probe, span),
    };
    let mut search = Search::new(plan(secs(10), secs(1280), "2%,1s", 8));
    path(&rule).run(&mut search);
    let known = search.known();
    let (alive, lost) = edge(&search);
    assert!(alive < secs(240) && secs(240) <= lost && lost - alive < secs(5), "{alive:?} {lost:?}");
    assert_eq!(known.stray.map(|span| span.as_secs()), Some(40));
    assert!(!search.contradicts());
}

#[test]
fn two_nodes_of_different_timeouts_are_told_as_a_bracket_around_both() {
    let rule = |probe: u32, span| {
        let after = if probe.is_multiple_of(2) { secs(60) } else { secs(300) };
        forgets(after, End::Reset)(probe, span)
    };
    let mut search = Search::new(plan(secs(10), secs(1280), "2%,1s", 8));
    path(&rule).run(&mut search);
    assert!(search.contradicts());
    let (alive, lost) = edge(&search);
    assert!(alive < secs(60) && lost >= secs(300), "{alive:?} {lost:?}");
    let known = search.known();
    assert!(known.first.unwrap().width() <= ms(1_300) && known.last.unwrap().width() <= secs(6), "{known:?}");
    assert_eq!(known.stray, None);
}

#[test]
fn a_single_loss_is_no_answer() {
    let mut search = Search::new(plan(secs(10), secs(11), "2s", 2));
    let orders: Vec<Order> = std::iter::from_fn(|| search.poll()).collect();
    search.tell(orders[0].probe, secs(10), Outcome::Alive);
    search.tell(orders[1].probe, secs(11), Outcome::Lost(End::Silence));
    assert_eq!(search.state(), State::Searching);
    let again: Vec<Order> = std::iter::from_fn(|| search.poll()).collect();
    assert_eq!(again.iter().map(|order| order.span).collect::<Vec<_>>(), [secs(11), secs(11)]);
    search.tell(again[0].probe, secs(11), Outcome::Lost(End::Silence));
    search.tell(again[1].probe, secs(11), Outcome::Lost(End::Silence));
    assert_eq!(search.state(), State::Done);
}

#[test]
fn void_probes_are_made_again_and_in_the_end_given_up() {
    let mut search = Search::new(plan(secs(10), secs(20), "1s", 2));
    let first = search.poll().unwrap();
    assert_eq!(search.poll().unwrap().span, secs(20));
    search.void(first.probe, Void::NoConnection);
    let mut again = search.poll().unwrap();
    assert_eq!((again.span, again.probe), (secs(10), 3));
    let mut voids = 1;
    while search.state() == State::Searching {
        search.void(again.probe, Void::NoConnection);
        voids += 1;
        again = search.poll().unwrap_or(again);
    }
    assert_eq!((voids, search.state()), (9, State::GivenUp));
    search.void(77, Void::NoConnection);
    search.tell(77, secs(1), Outcome::Alive);
    assert!(search.evidence.is_empty());
}

/// A hub that had died was waited for by probe after probe, for minutes.
#[test]
fn a_search_is_given_up_once_the_path_or_the_hub_stays_down() {
    let mut search = Search::new(plan(secs(10), secs(20), "1s", 2));
    let probes: Vec<u32> = std::iter::from_fn(|| search.poll()).map(|order| order.probe).collect();
    search.void(probes[0], Void::ControlLost);
    assert_eq!(search.state(), State::Searching);
    search.void(probes[1], Void::Down);
    assert_eq!((search.state(), search.poll()), (State::GivenUp, None));
}

#[test]
fn a_loss_is_void_where_the_control_or_a_new_connection_is_lost_too() {
    let all = |control, fresh| Witness { control, fresh };
    let lost = Outcome::Lost(End::Silence);
    assert_eq!(lost.doubt(all(true, true)), None);
    assert_eq!(lost.doubt(all(false, true)), Some(Void::ControlLost));
    assert_eq!(lost.doubt(all(true, false)), Some(Void::NoFreshConnection));
    assert_eq!(Outcome::Alive.doubt(all(false, false)), None);
    assert_eq!(Outcome::Lost(End::Refreshed).doubt(all(false, false)), None);
}

#[test]
fn plans_that_cannot_be_are_told() {
    let within = Within::default();
    for (from, to, connections, problem) in [
        (ms(499), secs(10), 8, "--from is 500ms at least"),
        (secs(10), secs(10), 8, "longer than --from (10s), and 24h at most"),
        (secs(10), secs(86_401), 8, "24h at most"),
        (secs(10), secs(20), 1, "from 2 to 64"),
        (secs(10), secs(20), 65, "from 2 to 64"),
    ] {
        let told = Plan::new(from, to, within, connections).unwrap_err().to_string();
        assert!(told.contains(problem), "{told}");
    }
    assert!(
        Plan::new(ms(500), secs(86_400), within, 2).is_ok()
            && Plan::new(secs(10), secs(20), within, 64).is_ok()
    );
    for (text, shown) in [("2%,1s", "2%,1s"), ("5%", "5%"), ("100ms", "100ms")] {
        assert_eq!(text.parse::<Within>().unwrap().to_string(), shown);
    }
    assert_eq!(within.to_string(), "2%,1s");
    for text in ["", "0%", "51%", "10ms", "2", "x%"] {
        assert!(text.parse::<Within>().is_err(), "{text}");
    }
    let refused = |text: &str| text.parse::<Within>().unwrap_err();
    assert!(refused("25h").ends_with("and 24h at most"), "{}", refused("25h"));
    for text in ["2%,1s,5%", "2%,1s,3s"] {
        assert!(refused(text).contains("one of each, such as `2%,1s`"), "{}", refused(text));
    }
    let plan = plan(secs(10), secs(1200), "2%,1s", 8);
    assert_eq!((plan.tolerance(secs(240)), plan.tolerance(secs(10))), (ms(4_800), secs(1)));
}

const PATHS: [End; 6] =
    [End::Reset, End::Silence, End::Unanswered, End::ResetIdle, End::Closed, End::Refreshed];

proptest! {
    /// Whatever the timeout and its manner, the bracket is around it, as narrow as asked, after a bounded number of probes.
    #[test]
    fn any_timeout_is_bracketed(
        truth in 600_u64..1_300_000,
        from in 500_u64..60_000,
        longer in 2_u64..200,
        connections in 2_usize..=64,
        within in 20_u64..5_000,
        end in 0..PATHS.len(),
        late in 0_u64..15,
    ) {
        let (truth, from) = (ms(truth), ms(from));
        let to = (from * u32::try_from(longer).unwrap()).min(LONGEST);
        let plan = plan(from, to, &format!("{within}ms"), connections);
        let mut search = Search::new(plan);
        // Timers are late, by so much for every other probe.
        let rule = |probe: u32, span: Duration| {
            forgets(truth, PATHS[end])(probe, span + ms(if probe.is_multiple_of(2) { late } else { 0 }))
        };
        path(&rule).run(&mut search);
        prop_assert_eq!(search.state(), State::Done);
        prop_assert!(!search.contradicts());
        // Two connections halve and more each time: from a day to 20 ms in 14 waves, and one to confirm.
        prop_assert!(search.made() <= 20 * u32::try_from(connections).unwrap(), "{}", search.made());
        if truth > to + ms(late) {
            prop_assert_eq!(search.known().first, None);
            prop_assert!(search.known().longest_alive.unwrap() >= to);
        } else if let Some(edge) = search.known().whole() {
            prop_assert!(edge.alive < truth && truth <= edge.lost, "{:?}", edge);
            prop_assert!(edge.width() <= plan.tolerance(edge.lost), "{:?}", edge);
        } else {
            // Outlived, by the lateness of the last timer.
            prop_assert!(truth + ms(late) > to);
        }
    }

    /// Outcomes at random: the search comes to its end, and the bracket is around every contradiction.
    #[test]
    fn outcomes_at_random_end_and_are_bracketed(
        seeds in proptest::collection::vec(any::<u8>(), 64),
        connections in 2_usize..=16,
    ) {
        let mut search = Search::new(plan(secs(1), secs(600), "1s", connections));
        let rule = |probe: u32, span| match seeds[probe as usize % 64] {
            0..100 => (span, Outcome::Alive),
            100..180 => (span, Outcome::Lost(End::Silence)),
            _ => (span, Outcome::Lost(End::Reset)),
        };
        path(&rule).run(&mut search);
        prop_assert!(search.made() <= 2_000);
        let known = search.known();
        if let Some(edge) = known.first {
            for it in &search.evidence {
                match it.outcome {
                    Outcome::Lost(_) => prop_assert!(it.idle >= edge.lost || Some(it.idle) == known.stray),
                    Outcome::Alive => prop_assert!(known.last.is_none_or(|last| it.idle < last.lost)),
                }
            }
        }
    }
}

mod told {
    use super::*;

    fn circumstances() -> Circumstances {
        Circumstances {
            upstream: "hub:1883".into(),
            tls: false,
            mqtt: "3.1.1".into(),
            keep_alive: 0,
            server_keep_alive: None,
            round_trip_ns: Some(12_000_000),
            answer_within_ns: 10_000_000_000,
            to_ns: 1_200_000_000_000,
            took_ns: 812_000_000_000,
        }
    }

    fn company() -> Company {
        Company {
            data_every: ms(2_500),
            data_up: secs(812),
            tcp_every: secs(5),
            tcp: Some((secs(811), false)),
        }
    }

    fn probes(search: &Search) -> Vec<Probed> {
        let probed = |it: &Evidence| Probed {
            wave: 1,
            idle_ns: u64::try_from(it.idle.as_nanos()).unwrap(),
            answered_ns: None,
            end: it.outcome.end(),
            void: None,
        };
        search.evidence.iter().map(probed).collect()
    }

    fn answer(rule: &dyn Fn(u32, Duration) -> (Duration, Outcome)) -> Answer {
        let mut search = Search::new(plan(secs(10), secs(1280), "2%,1s", 8));
        path(rule).run(&mut search);
        let probes = probes(&search);
        Answer::of(&search, circumstances(), company(), probes)
    }

    #[test]
    fn answers_are_told_in_words_of_80_columns() {
        let forgets_silently = answer(&forgets(secs(240), End::Silence));
        assert_eq!(forgets_silently.beside.tcp_keepalive_refreshes, Some(false));
        assert_eq!(forgets_silently.ping_interval_ns, Some(179_000_000_000));
        let nodes = answer(&|probe, span| {
            forgets(if probe.is_multiple_of(2) { secs(60) } else { secs(300) }, End::Reset)(probe, span)
        });
        let mut of_the_hub = answer(&forgets(secs(15), End::Closed));
        of_the_hub.circumstances.server_keep_alive = Some(10);
        let stray = answer(&|probe, span| match probe {
            3 => (span, Outcome::Lost(End::Silence)),
            _ => forgets(secs(350), End::ResetIdle)(probe, span),
        });
        let holds = answer(&|_, span| (span, Outcome::Alive));
        let refreshed = answer(&forgets(secs(75), End::Refreshed));
        let early = {
            let mut search = Search::new(plan(secs(10), secs(1280), "2%,1s", 8));
            let order = search.poll().unwrap();
            search.tell(order.probe, secs(10), Outcome::Alive);
            Answer::of(&search, circumstances(), company(), probes(&search))
        };
        let mut down = Search::new(plan(secs(10), secs(1280), "2%,1s", 8));
        while let Some(order) = down.poll() {
            down.void(order.probe, Void::ControlLost);
        }
        let nothing = Answer::of(&down, circumstances(), company(), Vec::new());
        let all = [forgets_silently, nodes, of_the_hub, stray, holds, refreshed, early, nothing];
        let text = all.iter().map(Answer::to_string).collect::<Vec<_>>().join("\n=====\n\n");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
            assert_eq!(line, line.trim_end());
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_json_reads_back() {
        let answer = answer(&forgets(secs(240), End::Reset));
        let json = answer.to_json().unwrap();
        assert_eq!(serde_json::from_str::<Answer>(&json).unwrap(), answer);
    }

    #[test]
    fn seconds_are_told_by_their_size() {
        let told = [ms(2_970), ms(3_000), ms(99_940), ms(240_400), ms(40)].map(seconds);
        assert_eq!(told, ["2.97 s", "3 s", "99.9 s", "240 s", "0.04 s"]);
    }
}
