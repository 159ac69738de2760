//! The tap beside a run: what an end sends again while its leg is deaf or hears little is told as soon as it hears again.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use brownout::base::{Chance, Side, Span};
use brownout::event::{Event, What, WireNews};
use brownout::fault::{Blackhole, Close, Connects, Fault, FidelityWanted, LegFate, Loss, Toward, WaysWanted};
use brownout::net::StartError;
use brownout::net::tap::{Config, Wanted};
use brownout::profile::{ListenerPlan, Rule, TlsPlan};
use common::{Bench, after_connack, connected, expect, hub, plan, wire};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

const HOLD: Duration = Duration::from_millis(700);
const SOON: Duration = Duration::from_millis(100);

fn dark(toward: Toward, hold: Duration) -> Fault {
    Fault::Blackhole(Blackhole {
        direction: WaysWanted::Both,
        toward,
        hold: Span::fixed(hold),
        fidelity: FidelityWanted::Packet,
        connects: Connects::Silence,
    })
}

fn lossy(toward: Toward) -> Fault {
    Fault::Loss(Loss { toward, chance: Chance::ALWAYS, hold: Some(Span::fixed(HOLD)) })
}

/// A run beside a tap, and its hub; `None` where there can be no tap.
async fn watched(rules: Vec<Rule>) -> Option<(Bench, TcpListener)> {
    let hub = hub().await;
    let listener = ListenerPlan {
        name: "main".into(),
        listen: "127.0.0.1:0".into(),
        upstream: hub.local_addr().unwrap().to_string(),
        tls: TlsPlan::default(),
    };
    let tap = Config { wanted: Wanted::On, ..Config::default() };
    let bench = match Bench::beside(plan(rules), listener, tap).await {
        Err(StartError::Tap(error)) => {
            println!("SKIPPED: {error}");
            return None;
        }
        started => started.unwrap(),
    };
    hub.accept().await.unwrap();
    Some((bench, hub))
}

/// Who has sent something again, and whether that were segments.
fn again(event: &Event) -> Option<(Side, bool)> {
    match &event.what {
        What::Wire { news: WireNews::Repeated { side, segments, .. } } => Some((*side, *segments > 0)),
        _ => None,
    }
}

/// Also where the link goes on for long after: a watch does not last until its end.
#[tokio::test]
async fn what_was_sent_again_is_told_once_the_leg_hears_again() {
    for (side, fault) in [
        (Side::Device, dark(Toward::Device, HOLD)),
        (Side::Hub, dark(Toward::Hub, HOLD)),
        (Side::Device, lossy(Toward::Device)),
        (Side::Hub, lossy(Toward::Hub)),
    ] {
        let Some((bench, hub)) = watched(vec![after_connack("fault", SOON, fault.clone())]).await else {
            return;
        };
        let (mut device, mut served) = connected(&bench, &hub).await;
        let answer = bench
            .until("an answer", |event| match &event.what {
                What::FaultApplied { .. } => Some(Ok(())),
                What::FaultRefused { error, .. } => Some(Err(error.clone())),
                _ => None,
            })
            .await;
        if let Err(error) = answer {
            println!("SKIPPED: {error}");
            return drop(bench.stop().await);
        }
        let (says, hears, said) = match side {
            Side::Device => (&mut device, &mut served, wire::PINGREQ),
            Side::Hub => (&mut served, &mut device, wire::PINGRESP),
        };
        says.write_all(&said).await.unwrap();
        expect(hears, &said).await;
        assert_eq!(bench.until("what was sent again", again).await, (side, true), "{fault:?}");
        bench.stop().await;
    }
}

/// A leg that stays deaf to its end: the watch ends with the link, and not with the run.
#[tokio::test]
async fn what_was_sent_again_is_told_once_the_link_is_gone() {
    let close = Close { toward: Toward::Both, other: LegFate::Reset, close_notify: false };
    let rules = vec![
        after_connack("dark", SOON, dark(Toward::Device, Duration::from_secs(600))),
        after_connack("end", Duration::from_millis(1_500), Fault::Rst(close)),
    ];
    let Some((bench, hub)) = watched(rules).await else { return };
    let (mut device, _served) = connected(&bench, &hub).await;
    bench.until("fault", |event| matches!(event.what, What::FaultApplied { .. }).then_some(())).await;
    device.write_all(&wire::PINGREQ).await.unwrap();
    bench.until("end", |event| matches!(event.what, What::LinkClosed { .. }).then_some(())).await;
    assert_eq!(bench.until("what was sent again", again).await, (Side::Device, true));
    bench.stop().await;
}
