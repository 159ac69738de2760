//! The bundle of connections of one search, from the first connect to the answer.

use super::control::{self, Pulse};
use super::line::{Line, Terms};
use super::probe::{Came, Ground, probe};
use super::tcp::{self, Kept};
use super::told::Told;
use crate::base::time::nanos;
use crate::cli::exit::Refusal;
use crate::cli::signals::Signals;
use crate::keepalive::idle::{Answer, Circumstances, Company, Plan, Probed, Search, State, seconds};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The client identifier's number of the connection that TCP alone keeps; those of probes count from 1, and are fewer.
const TCP_NUMBER: u32 = 9_999;

/// How long the connections that are left may take to leave.
const LEAVING: Duration = Duration::from_secs(3);

/// A search and what runs for it.
struct Bundle {
    search: Search,
    probes: Vec<Probed>,
    tasks: JoinSet<Option<Came>>,
    ground: Ground,
    stop: watch::Sender<bool>,
    kept: Kept,
    told: Told,
}

/// Searches until the answer is there, or a signal comes.
///
/// # Errors
/// The hub cannot be reached, or refuses.
pub(super) async fn search(
    terms: Arc<Terms>,
    plan: Plan,
    told: Told,
    signals: &mut Signals,
) -> Result<(Answer, State), Refusal> {
    let client_id = terms.client_id(control::NUMBER);
    let line = tokio::select! {
        line = Line::connect(&terms, &client_id) => line,
        () = signals.next() => Err("interrupted before it came about".into()),
    };
    let line = line.map_err(|why| {
        let upstream = &terms.target.address;
        Refusal::environment(format!("no connection to the hub at {upstream}: {why}"))
    })?;
    let server_keep_alive = line.connack.properties.server_keep_alive();
    told.line(beginning(&terms, server_keep_alive));
    let (pulse, seen) = watch::channel(Pulse::new(terms.clock.now(), plan.from()));
    let control = tokio::spawn(control::keep(Arc::clone(&terms), line, pulse));
    let mut bundle = Bundle::begin(Arc::clone(&terms), plan, told, seen.clone());
    bundle.run(signals).await;
    let state = bundle.search.state();
    // Copied before: its guard, held over the wait, would block who tells of the next sign of life, and a worker with it.
    let pulse = *seen.borrow();
    let answer = bundle.answer(plan, server_keep_alive, pulse).await;
    control.abort();
    Ok((answer, state))
}

fn beginning(terms: &Terms, server_keep_alive: Option<u16>) -> String {
    let tls = if terms.target.tls.is_some() { " over TLS" } else { "" };
    let keep_alive = match (server_keep_alive, terms.keep_alive) {
        (Some(secs), _) => format!("keep-alive {secs} s by the hub's own word"),
        (None, 0) => "no keep-alive".to_owned(),
        (None, secs) => format!("keep-alive {secs} s"),
    };
    format!("path: to {}{tls}, MQTT {}, {keep_alive}", terms.target.address, terms.version.number())
}

impl Bundle {
    fn begin(terms: Arc<Terms>, plan: Plan, told: Told, pulse: watch::Receiver<Pulse>) -> Bundle {
        let (stop, stopped) = watch::channel(false);
        let kept = Kept::begin(Arc::clone(&terms), TCP_NUMBER, tcp::every(plan.from()), pulse.clone());
        Bundle {
            search: Search::new(plan),
            probes: Vec::new(),
            tasks: JoinSet::new(),
            ground: Ground { terms, pulse, stop: stopped },
            stop,
            kept,
            told,
        }
    }

    async fn run(&mut self, signals: &mut Signals) {
        loop {
            self.follow();
            if self.search.state() != State::Searching {
                return;
            }
            tokio::select! {
                joined = self.tasks.join_next() => match joined {
                    Some(Ok(Some(came))) => self.take(came),
                    Some(Ok(None)) => {}
                    Some(Err(error)) => tracing::error!(%error, "a probe did not end in order"),
                    // A search that goes on waits for something.
                    None => return,
                },
                () = signals.next() => return,
            }
        }
    }

    /// Does what the search asks for.
    fn follow(&mut self) {
        while let Some(wave) = self.search.poll_wave() {
            self.told.wave(&wave);
        }
        while let Some(order) = self.search.poll() {
            self.tasks.spawn(probe(self.ground.clone(), order));
        }
    }

    fn take(&mut self, came: Came) {
        self.told.came(&came);
        self.probes.push(Probed {
            wave: came.order.wave,
            idle_ns: nanos(came.idle),
            answered_ns: came.answered.map(nanos),
            end: came.outcome.ok().and_then(|outcome| outcome.end()),
            void: came.outcome.err(),
        });
        match came.outcome {
            Ok(outcome) => self.search.tell(came.order.probe, came.idle, outcome),
            Err(why) => self.search.void(came.order.probe, why),
        }
        self.ask_tcp();
    }

    /// Once it was without traffic for longer than the path holds, TCP's own probes have shown what they do.
    fn ask_tcp(&mut self) {
        let up = self.ground.terms.clock.now().since(self.ground.pulse.borrow().since);
        if self.search.known().whole().is_some_and(|whole| up > whole.lost.mul_f64(1.25)) {
            self.kept.ask();
        }
    }

    /// Lets go of what is left, and sums up.
    async fn answer(mut self, plan: Plan, server_keep_alive: Option<u16>, pulse: Pulse) -> Answer {
        let _ = self.stop.send(true);
        let left = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LEAVING, left).await;
        let terms = &self.ground.terms;
        let now = terms.clock.now();
        let company = Company {
            data_every: pulse.every,
            data_up: if pulse.is_up { pulse.answered.since(pulse.since) } else { Duration::ZERO },
            tcp_every: tcp::every(plan.from()),
            tcp: match self.search.state() {
                // It was interrupted.
                State::Searching => tokio::time::timeout(LEAVING, self.kept.answer()).await.ok().flatten(),
                _ => self.kept.answer().await,
            },
        };
        let circumstances = Circumstances {
            upstream: terms.target.address.clone(),
            tls: terms.target.tls.is_some(),
            mqtt: terms.version.number().to_owned(),
            keep_alive: terms.keep_alive,
            server_keep_alive,
            round_trip_ns: pulse.round_trip.map(nanos),
            answer_within_ns: nanos(terms.answer_within),
            to_ns: nanos(plan.to()),
            took_ns: now.as_nanos(),
        };
        self.told.line(format_args!("{} probes in {}\n", self.probes.len(), seconds(now.elapsed())));
        Answer::of(&self.search, circumstances, company, self.probes)
    }
}
