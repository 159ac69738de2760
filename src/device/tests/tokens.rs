use super::*;
use crate::azure::token::expiry;
use crate::base::Secret;

/// The wall clock when the test begins.
const UNIX: u64 = 1_800_000_000;

fn bench(renew: Renew, stale_first: bool) -> Bench {
    let sas = Sas {
        hub: "lab.azure-devices.net".into(),
        key: Secret(b"secret".to_vec()),
        lifetime: Duration::from_secs(100),
        renew,
        stale_first,
        unix_at_start: Duration::from_secs(UNIX),
    };
    // Its pings are out of the way.
    let habits = Habits { sas: Some(sas), ping: PingRule::Never, ..habits(Preset::Typical, 0) };
    Bench::new(habits)
}

/// The dial succeeds: when the token in the CONNECT expires, by the run's clock.
fn connect(bench: &mut Bench) -> u64 {
    bench.input(Input::Connected);
    let got = bench.got();
    let [Packet::Connect(connect)] = got.as_slice() else { panic!("{got:?}") };
    let user = connect.username.as_deref().unwrap();
    assert!(user.starts_with("lab.azure-devices.net/d/?api-version=2021-04-12&DeviceClientType=brownout"));
    expiry(connect.password.as_ref().unwrap()).unwrap() - UNIX
}

fn answer(bench: &mut Bench, code: u8) {
    bench.hub_says(Packet::Connack(Connack { code, ..Connack::default() }));
    bench.got();
    bench.did();
}

#[test]
fn a_token_is_renewed_in_time_by_another_connect() {
    let mut bench = bench(Renew::Before(Duration::from_secs(30)), false);
    assert_eq!(connect(&mut bench), 100);
    answer(&mut bench, 0);
    bench.until(Time::from_secs(70) - NANO);
    assert_eq!((bench.did(), show(&bench.got())), (vec![], vec![]));
    bench.until(Time::from_secs(70));
    assert_eq!(
        bench.did(),
        ["renews its token 30s before it expires", "close", "dialing, attempt 2", "dial"]
    );
    assert_eq!(show(&bench.got()), ["DISCONNECT"]);
    assert_eq!(connect(&mut bench), 170);
}

#[test]
fn a_link_that_is_lost_before_costs_no_token() {
    let mut bench = bench(Renew::Share(0.3), false);
    assert_eq!(connect(&mut bench), 100);
    answer(&mut bench, 0);
    bench.until(Time::from_secs(50));
    bench.input(Input::Closed(HowClosed::Reset));
    bench.until(Time::from_secs(51));
    assert_eq!(connect(&mut bench), 100, "it still serves");
    answer(&mut bench, 0);
    bench.until(Time::from_secs(60));
    bench.input(Input::Closed(HowClosed::Reset));
    bench.until(Time::from_secs(61));
    bench.input(Input::ConnectFailed { why: "no route".into() });
    bench.at(Time::from_secs(70));
    assert_eq!(connect(&mut bench), 170, "it was due meanwhile");
}

#[test]
fn who_never_renews_comes_back_with_a_fresh_token_or_with_the_stale_one_first() {
    for (stale_first, expected) in [(false, 201), (true, 100)] {
        let mut bench = bench(Renew::Never, stale_first);
        assert_eq!(connect(&mut bench), 100);
        answer(&mut bench, 0);
        bench.until(Time::from_secs(100));
        assert_eq!(bench.did(), [""; 0]);
        bench.input(Input::Closed(HowClosed::Fin));
        bench.until(Time::from_secs(101));
        assert_eq!(connect(&mut bench), expected);
        answer(&mut bench, 5);
        bench.until(Time::from_secs(103));
        assert_eq!(connect(&mut bench), 203, "the hub has refused the one before");
    }
}

#[test]
fn a_refusal_that_is_not_of_the_token_leaves_it() {
    let mut bench = bench(Renew::Never, false);
    assert_eq!(connect(&mut bench), 100);
    answer(&mut bench, 3);
    bench.until(Time::from_secs(1));
    assert_eq!(connect(&mut bench), 100);
}
