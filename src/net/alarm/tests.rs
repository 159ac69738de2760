use super::*;
use std::time::Instant;

const MILLI: Duration = Duration::from_millis(1);

fn alarm() -> Alarm {
    Alarm::start(Clock::start()).unwrap()
}

fn entries(alarm: &Alarm) -> usize {
    alarm.owner.shared.lock().by_time.len()
}

/// How late, in microseconds: the 10th percentile and the median.
fn quantiles(mut late: Vec<Duration>) -> (u128, u128) {
    late.sort();
    (late[late.len() / 10].as_micros(), late[late.len() / 2].as_micros())
}

/// 200 overlapping sleeps of 50 ms, one begun every 2 ms; each returns how late it woke.
async fn lateness<F: Future<Output = Instant> + Send + 'static>(
    sleep_until: impl Fn(Instant) -> F,
) -> Vec<Duration> {
    let begin = Instant::now();
    let sleeps: Vec<_> = (0..200)
        .map(|nth| {
            // Off the whole milliseconds, as real arrivals are.
            let due = begin + Duration::from_micros(50_370 + nth * 2_000);
            (due, tokio::spawn(sleep_until(due)))
        })
        .collect();
    let mut late = Vec::new();
    for (due, sleep) in sleeps {
        late.push(sleep.await.unwrap().checked_duration_since(due).expect("woken early"));
    }
    late
}

/// How often it is tried: a machine that is busy makes both late, and hides the difference for a while.
const ROUNDS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_early_and_far_finer_than_a_tokio_sleep() {
    let alarm = alarm();
    let mut told = Vec::new();
    for _ in 0..ROUNDS {
        let ours = lateness(|due| {
            let alarm = alarm.clone();
            async move {
                alarm.sleep_until(alarm.clock().time(due)).await;
                Instant::now()
            }
        })
        .await;
        let tokios = lateness(|due| async move {
            tokio::time::sleep_until(due.into()).await;
            Instant::now()
        })
        .await;
        let (ours, tokios) = (quantiles(ours), quantiles(tokios));
        told.push(format!("late, us: alarm p10 and p50 {ours:?}; tokio {tokios:?}"));
        // A timer of whole milliseconds does not get there in any round, whatever else the machine does.
        if ours.0 * 2 < tokios.0 || ours.1 * 2 < tokios.1 {
            return;
        }
    }
    panic!("{told:#?}");
}

#[tokio::test]
async fn a_slot_is_moved_earlier_and_later() {
    let alarm = alarm();
    let mut slot = alarm.slot();
    let start = alarm.clock().now();
    let (near, far) = (start + 20 * MILLI, start + Duration::from_secs(60));
    let mut asked = [far, near].into_iter();
    let mut wakes = 0;
    poll_fn(|cx| {
        wakes += 1;
        if let Some(first) = asked.next().filter(|&when| when == far) {
            assert!(slot.poll_until(cx, first).is_pending());
        }
        slot.poll_until(cx, near)
    })
    .await;
    assert!(alarm.clock().now() >= near);
    assert_eq!((wakes, entries(&alarm)), (2, 0), "woken once, and nothing is left behind");
    let later = near + 20 * MILLI;
    poll_fn(|cx| slot.poll_until(cx, later)).await;
    assert!(alarm.clock().now() >= later);
}

/// Links that come and go ask for times that are all as far ahead: of those, the first alone arms the timer.
#[test]
fn the_timer_is_armed_anew_for_an_earlier_time_alone_until_it_has_fired() {
    let at = Time::from_millis;
    let mut lead = Lead::default();
    assert_eq!(lead.arm(at(0), at(30)), Some(at(30)));
    assert_eq!(lead.arm(at(1), at(31)), None, "it fires before that");
    assert_eq!(lead.arm(at(2), at(20)), Some(at(20)));
    assert_eq!(lead.arm(at(3), at(30)), None);
    lead.woken(at(20));
    assert_eq!(lead.by, Duration::ZERO, "on time");
    assert_eq!(lead.arm(at(20), at(31)), Some(at(31)));
    // Whoever wakes the task, it looks at who is first.
    lead.woken(at(21));
    assert_eq!(lead.arm(at(21), at(31)), Some(at(31)));
    assert_eq!(lead.arm(at(40), at(35)), None, "it has fired, and the task is on its way");
}

#[tokio::test]
async fn a_dropped_or_cancelled_slot_leaves_nothing_behind() {
    let alarm = alarm();
    let when = Time::from_secs(3_600);
    let mut slots: Vec<AlarmSlot> = (0..5_000).map(|_| alarm.slot()).collect();
    poll_fn(|cx| {
        for slot in &mut slots {
            assert!(slot.poll_until(cx, when).is_pending());
            assert!(slot.poll_until(cx, when + MILLI).is_pending());
        }
        Poll::Ready(())
    })
    .await;
    assert_eq!(entries(&alarm), 5_000);
    slots[0].cancel();
    assert_eq!(entries(&alarm), 4_999);
    drop(slots);
    assert_eq!(entries(&alarm), 0);
}

#[tokio::test]
async fn thousands_of_slots_all_wake_and_none_early() {
    let alarm = alarm();
    let start = alarm.clock().now();
    let sleeps: Vec<_> = (0..5_000u64)
        .map(|nth| {
            let alarm = alarm.clone();
            // In scattered order.
            let when = start + Duration::from_micros(nth * 7_919 % 100_000);
            tokio::spawn(async move {
                alarm.sleep_until(when).await;
                assert!(alarm.clock().now() >= when);
            })
        })
        .collect();
    for sleep in sleeps {
        sleep.await.unwrap();
    }
    assert_eq!(entries(&alarm), 0);
}

#[tokio::test]
async fn the_last_waker_counts() {
    let alarm = alarm();
    let mut slot = alarm.slot();
    let when = alarm.clock().now() + 20 * MILLI;
    let mut idle = Context::from_waker(Waker::noop());
    assert!(slot.poll_until(&mut idle, when).is_pending());
    poll_fn(|cx| slot.poll_until(cx, when)).await;
}

#[tokio::test]
async fn an_alarm_with_nothing_due_takes_no_processor_time() {
    let Ok(before) = time_on_processor() else {
        return println!("SKIPPED: the kernel keeps no /proc/thread-self/schedstat");
    };
    let alarm = alarm();
    let mut slot = alarm.slot();
    let far = alarm.clock().now() + Duration::from_secs(60);
    poll_fn(|cx| Poll::Ready(slot.poll_until(cx, far).is_pending())).await;
    alarm.sleep_until(alarm.clock().now() + MILLI).await;
    tokio::time::sleep(100 * MILLI).await;
    let spent = time_on_processor().unwrap() - before;
    assert!(spent < 50 * MILLI, "{spent:?} of 100 ms");
}

/// Of this thread, which is all of the test's runtime; proc(5).
fn time_on_processor() -> io::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = stat.split(' ').next().and_then(|first| first.parse().ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[tokio::test]
async fn the_task_ends_with_the_last_handle_and_slot() {
    let alarm = alarm();
    alarm.sleep_until(alarm.clock().now() + MILLI).await;
    let task = alarm.owner.task.clone();
    let slot = alarm.slot();
    drop(alarm);
    assert!(!task.is_finished(), "a slot keeps it");
    drop(slot);
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
}
