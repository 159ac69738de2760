//! An answer in words, within 80 columns.

use super::answer::{Answer, Findings, Found};
use super::outcome::{End, Void};
use crate::report::table::wrap;
use std::fmt::{self, Write};
use std::time::Duration;

/// The room for the names of facts.
const FACTS: usize = 15;

/// A span in seconds, `240 s` or `2.97 s`: two decimals below 10 s, one below 100 s, and none where they are zero.
pub fn seconds(span: Duration) -> String {
    shown(span.as_secs_f64(), decimals(span))
}

fn decimals(span: Duration) -> usize {
    match span.as_secs() {
        0..10 => 2,
        10..100 => 1,
        100.. => 0,
    }
}

fn shown(seconds: f64, decimals: usize) -> String {
    let text = format!("{seconds:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} s")
}

fn span(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// The ends of a bracket, rounded away from each other by what its width can be told in, and its middle.
fn bracket(low: u64, high: u64) -> (String, String, String) {
    let (low, high) = (span(low).as_secs_f64(), span(high).as_secs_f64());
    let (decimals, unit) = match high - low {
        0.0..0.3 => (2, 0.01),
        0.3..3.0 => (1, 0.1),
        _ => (0, 1.0),
    };
    let middle = (low + high) / 2.0;
    let away = |seconds: f64, round: fn(f64) -> f64| shown(round(seconds / unit) * unit, decimals);
    let low = away(low, f64::floor).trim_end_matches(" s").to_owned();
    (low, away(high, f64::ceil), away(middle, f64::round))
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        paragraph(f, &self.headline())?;
        let facts: Vec<(&str, String)> = self.facts().collect();
        if !facts.is_empty() {
            f.write_char('\n')?;
        }
        for (name, text) in facts {
            fact(f, name, &text)?;
        }
        if let Some(advice) = self.advice() {
            f.write_char('\n')?;
            paragraph(f, &advice)?;
        }
        Ok(())
    }
}

impl Answer {
    /// The answer in a sentence.
    fn headline(&self) -> String {
        let longest = self.longest();
        let said = match self.found {
            Found::Forgets if self.findings.contradicts => self.at_odds(),
            Found::Forgets if matches!(self.findings.how, Some(End::ResetIdle | End::Unanswered)) => {
                format!("this path, or its hub, drops an idle connection {}", self.after())
            }
            Found::Forgets => format!("this path forgets an idle connection {}", self.after()),
            Found::HubEnds if self.findings.how == Some(End::KeepAlive) => format!(
                "an idle connection is lost {}, by its hub (its keep-alive had run out) or by the path",
                self.after()
            ),
            Found::HubEnds => {
                format!("the hub, or a proxy in its place, ends an idle connection {}", self.after())
            }
            Found::NeverIdle => format!(
                "no connection is idle for long here: the other side sends TCP segments by itself {}",
                self.after()
            ),
            Found::Holds if self.findings.complete => format!("no idle timeout up to {longest} was seen"),
            Found::Holds => format!("ended early: every connection was alive after up to {longest}"),
            Found::Down => "nothing can be said: the path, or the hub, was down".into(),
            Found::Nothing => "nothing can be said: no probe had come to its end".into(),
        };
        let is_wide = match self.found {
            Found::Forgets | Found::HubEnds | Found::NeverIdle => !self.findings.complete,
            Found::Holds | Found::Down | Found::Nothing => false,
        };
        if is_wide { format!("Not as narrow as asked: {said}.") } else { capital(&format!("{said}.")) }
    }

    fn longest(&self) -> String {
        seconds(span(self.findings.longest_alive_ns.unwrap_or_default()))
    }

    fn after(&self) -> String {
        let Findings { alive_to_ns, lost_from_ns, always_lost_from_ns, .. } = self.findings;
        let Some(lost) = always_lost_from_ns.or(lost_from_ns) else { return String::new() };
        match alive_to_ns {
            None => format!("within {} (no shorter span was alive)", seconds(span(lost))),
            Some(alive) => {
                let (low, high, middle) = bracket(alive, lost);
                let at = if self.ends_by_itself() { &high } else { &middle };
                format!("after {at} (between {low} and {high})")
            }
        }
    }

    /// Whether the shortest loss was seen at its own time, and not when it was looked for.
    fn ends_by_itself(&self) -> bool {
        matches!(self.findings.how, Some(End::ResetIdle | End::Closed))
    }

    /// Where some are lost that others of the same span are not, no point is named.
    fn at_odds(&self) -> String {
        let Findings { alive_to_ns, lost_from_ns, always_lost_from_ns, .. } = self.findings;
        let show = |nanos: Option<u64>| seconds(span(nanos.unwrap_or_default()));
        let all = match always_lost_from_ns {
            Some(always) => format!("and all from {} on", seconds(span(always))),
            None => format!("and others not after {}", self.longest()),
        };
        format!(
            "outcomes contradict each other: this path forgot no connection that was idle for up to {}, some from {} on, {all}",
            show(alive_to_ns),
            show(lost_from_ns)
        )
    }

    /// What the answer stands on, by name.
    fn facts(&self) -> impl Iterator<Item = (&'static str, String)> {
        let facts = [
            ("how", self.findings.how.map(|end| how(end).to_owned())),
            ("alive", self.alive()),
            ("lost", self.lost()),
            ("data", self.data()),
            ("TCP keepalive", self.tcp_keepalive()),
            ("keep-alive", self.keep_alive()),
            ("at odds", self.odds()),
            ("not counted", self.not_counted()),
        ];
        facts.into_iter().filter_map(|(name, text)| Some((name, text?)))
    }

    fn alive(&self) -> Option<String> {
        let alive = self.probes.iter().filter(|probe| probe.end.is_none() && probe.void.is_none());
        let longest = self.findings.longest_alive_ns?;
        Some(format!("{}, idle for up to {}", probes(alive.count()), precise(longest)))
    }

    fn lost(&self) -> Option<String> {
        let count: usize = self.findings.ends.iter().map(|(_, count)| count).sum();
        let from = precise(self.findings.lost_from_ns?);
        let ends = match self.findings.ends.as_slice() {
            [(end, _)] => end.to_string(),
            ends => ends.iter().map(|(end, count)| format!("{count} {end}")).collect::<Vec<_>>().join(", "),
        };
        Some(format!("{}, idle for {from} or more: {ends}", probes(count)))
    }

    fn data(&self) -> Option<String> {
        self.beside.data_refreshes.filter(|refreshes| *refreshes)?;
        let (every, up) = (span(self.beside.data_every_ns), span(self.beside.data_up_ns));
        Some(format!(
            "refreshes it: a connection with a ping each {} stayed up for {}",
            seconds(every),
            seconds(up)
        ))
    }

    fn tcp_keepalive(&self) -> Option<String> {
        let every = seconds(span(self.beside.tcp_keepalive_every_ns));
        Some(match self.beside.tcp_keepalive_refreshes? {
            true => format!("refreshes it: a connection with nothing but a TCP probe each {every} was alive"),
            false => format!("does not refresh it: a connection with a TCP probe each {every} was lost too"),
        })
    }

    fn keep_alive(&self) -> Option<String> {
        let in_force = self.circumstances.in_force();
        if in_force == 0 {
            return None;
        }
        let whose =
            if self.circumstances.server_keep_alive.is_some() { ", the hub's own (CONNACK)" } else { "" };
        Some(format!(
            "{in_force} s{whose}: the hub may end connections that were idle for {} s",
            f64::from(in_force) * 1.5
        ))
    }

    fn odds(&self) -> Option<String> {
        let lost = self.findings.lost_from_ns.filter(|_| self.findings.contradicts)?;
        Some(format!(
            "one was lost after {}, and another alive after {}: several nodes of different minds, or a path under load",
            precise(lost),
            precise(self.findings.longest_alive_ns.unwrap_or_default())
        ))
    }

    fn not_counted(&self) -> Option<String> {
        let stray = self.findings.stray_ns.map(|idle| {
            format!("1 loss after {} that did not come again when it was repeated", precise(idle))
        });
        let voids = self.findings.void.iter().map(|(why, count)| {
            // The search ended with it.
            let again = if *why == Void::Down { "" } else { ", made again" };
            format!("{}{again}: {why}", probes(*count))
        });
        let all: Vec<String> = stray.into_iter().chain(voids).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// What to do with it.
    fn advice(&self) -> Option<String> {
        match self.found {
            Found::Forgets | Found::HubEnds => {
                let Some(interval) = self.ping_interval_ns else {
                    return Some("Give a smaller --from to learn which ping interval would keep it.".into());
                };
                let in_force = Duration::from_secs(self.circumstances.in_force().into());
                let why = match self.found == Found::HubEnds && !in_force.is_zero() && span(interval) == in_force {
                    true => "the hub holds a client to its keep-alive, and to no more than 1.5 times as long.",
                    false => {
                        "three quarters of what was always outlived, so that a ping that comes late, or is lost and sent again, \
                         is still in time."
                    }
                };
                Some(format!("Keep the ping interval under {}: {why}", seconds(span(interval))))
            }
            Found::Holds if self.findings.complete => Some(
                "Of this path's making there is no need to ping more often than that; how soon a dead link is to be noticed \
                 is another matter (brownout keepalive sweep)."
                    .into(),
            ),
            Found::NeverIdle => {
                Some("Nobody needs to ping for this path's sake while the other side does so itself.".into())
            }
            Found::Holds | Found::Down | Found::Nothing => None,
        }
    }
}

fn how(end: End) -> &'static str {
    match end {
        End::Reset => "reset: what is sent afterwards is answered with RST or ICMP",
        End::Silence => "silence: what is sent afterwards vanishes, and nobody is told",
        End::Unanswered => {
            "silence, behind a proxy: TCP acknowledges what is sent afterwards, and no answer comes (or the hub gives none)"
        }
        End::ResetIdle => {
            "reset by itself: RST comes while the connection is idle; a box on the way does that, and so may a hub"
        }
        End::Closed => {
            "closed by FIN, DISCONNECT or a TLS alert: a box that only forwards packets sends none; this is a policy of the \
             hub or of a proxy"
        }
        End::Broken => {
            "what came is no MQTT, or breaks TLS: the hub's doing, or that of whoever answers in its place"
        }
        End::KeepAlive => "after its keep-alive had run out, so this may be the hub and not the path",
        End::Refreshed => "segments were counted on connections on which no data passed (TCP_INFO)",
    }
}

fn probes(count: usize) -> String {
    format!("{count} probe{}", if count == 1 { "" } else { "s" })
}

/// In seconds to the hundredth, as the evidence has it.
fn precise(nanos: u64) -> String {
    shown(span(nanos).as_secs_f64(), 2)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn paragraph(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&wrap("", text))
}

fn fact(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    f.write_str(&wrap(&format!("  {name:FACTS$}"), text))
}
