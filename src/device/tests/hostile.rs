use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn nothing_that_a_hub_sends_can_panic_a_device(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..30), 0..30),
        level in 3u8..6,
        accepted in any::<bool>(),
    ) {
        let version = Version::from_level(level).unwrap();
        let workload = publishing("100ms", 2);
        let mut bench = Bench::new(Habits { version, workload, ..habits(Preset::Careful, 1) });
        for (tenth, chunk) in (0..).zip(&chunks) {
            bench.until(Time::from_millis(tenth * 100));
            bench.input(Input::Connected);
            if accepted {
                bench.hub_says(Packet::Connack(Connack::default()));
            }
            bench.input(Input::Bytes(chunk));
        }
    }
}
