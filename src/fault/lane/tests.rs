use super::*;
use proptest::prelude::*;

const fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

/// Writes up to `most` of what is due at `now`, piece by piece.
fn write(lane: &mut Lane<u32>, now: Time, most: usize) -> (Vec<u8>, Vec<Left<u32>>) {
    let (mut bytes, mut told) = (Vec::new(), Vec::new());
    while bytes.len() < most {
        let piece = lane.ready(now);
        let taken = piece.len().min(most - bytes.len());
        if taken == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..taken]);
        lane.wrote(now, taken, |left| told.push(left));
    }
    (bytes, told)
}

fn owns_no_memory(lane: &Lane<u32>) -> bool {
    lane.queue.is_none()
}

#[test]
fn bytes_are_due_at_their_release_and_not_a_nanosecond_before() {
    let mut lane = Lane::new();
    lane.push(ms(5), b"abc", None);
    assert_eq!(lane.deadline(), Some(ms(5)));
    assert_eq!(lane.ready(Time::from_nanos(4_999_999)), b"");
    assert_eq!(write(&mut lane, ms(5), 9).0, b"abc");
    assert_eq!(lane.deadline(), None);
}

#[test]
fn a_shorter_delay_does_not_overtake() {
    let mut lane = Lane::new();
    lane.push(ms(9), b"slow", None);
    lane.push(ms(2), b"fast", None);
    assert_eq!(lane.ready(ms(8)), b"");
    assert_eq!(write(&mut lane, ms(9), 99).0, b"slowfast");
}

#[test]
fn a_note_comes_back_with_the_last_byte_of_its_segment() {
    let mut lane = Lane::new();
    lane.push(ms(1), b"before", None);
    lane.push(ms(1), b"connack", Some(7));
    lane.push(ms(1), b"after", None);
    assert_eq!(write(&mut lane, ms(3), 12).1, []);
    assert_eq!(write(&mut lane, ms(3), 1).1, [Left::Note(7, ms(1))]);
    assert_eq!(write(&mut lane, ms(3), 99), (b"after".to_vec(), vec![]));
}

#[test]
fn positions_are_counted_as_they_are_passed_and_not_a_byte_before() {
    let mut lane = Lane::new();
    lane.push(ms(1), b"gone", None);
    lane.push(ms(1), b"aabbcc", None);
    lane.tally(4, [2, 4, 6]);
    lane.push(ms(2), b"note", Some(7));
    lane.push(ms(2), b"dd", None);
    lane.tally(14, [2]);
    assert_eq!((write(&mut lane, ms(1), 5).1, lane.is_whole()), (vec![], false));
    assert_eq!((write(&mut lane, ms(1), 1).1, lane.is_whole()), (vec![Left::Tallied(1)], true));
    assert_eq!(write(&mut lane, ms(1), 3).1, [Left::Tallied(1)]);
    let rest = [Left::Tallied(1), Left::Note(7, ms(2)), Left::Tallied(1)];
    assert_eq!(write(&mut lane, ms(2), 99).1, rest);
    assert!(owns_no_memory(&lane));
}

#[test]
fn a_closed_gate_holds_all_and_an_open_one_releases_what_is_due() {
    let mut lane = Lane::new();
    lane.push(ms(1), b"one", None);
    lane.push(ms(50), b"two", None);
    lane.finish(ms(60), Ending::Fin);
    lane.gate(false);
    assert_eq!((lane.ready(ms(99)), lane.deadline(), lane.end_due(ms(99))), (&b""[..], None, None));
    lane.gate(true);
    assert_eq!(lane.deadline(), Some(ms(1)), "in the past: come at once");
    assert_eq!(write(&mut lane, ms(20), 99).0, b"one");
    assert_eq!(lane.deadline(), Some(ms(50)));
}

#[test]
fn the_end_comes_after_the_last_byte_and_not_before_its_time() {
    let mut lane = Lane::new();
    lane.push(ms(5), b"x", None);
    lane.finish(ms(3), Ending::Fin);
    assert!(!lane.push(ms(6), b"late", None), "nothing follows the end");
    assert_eq!(lane.end_due(ms(9)), None, "a byte waits");
    write(&mut lane, ms(9), 1);
    assert_eq!((lane.end_due(ms(4)), lane.end_due(ms(5))), (None, Some(Ending::Fin)));
    assert_eq!(lane.deadline(), Some(ms(5)));
    lane.ended();
    assert_eq!((lane.end_due(ms(9)), lane.deadline(), lane.is_finished()), (None, None, true));
}

#[test]
fn a_reset_takes_the_place_of_a_fin_and_nothing_that_of_a_reset() {
    let mut lane: Lane<u32> = Lane::new();
    lane.finish(ms(3), Ending::Fin);
    lane.finish(ms(4), Ending::Reset);
    lane.finish(ms(1), Ending::Fin);
    assert_eq!((lane.end_due(ms(3)), lane.end_due(ms(4))), (None, Some(Ending::Reset)));
    let mut closed: Lane<u32> = Lane::new();
    closed.finish(ms(3), Ending::Fin);
    closed.ended();
    closed.finish(ms(4), Ending::Reset);
    assert_eq!(closed.end_due(ms(4)), Some(Ending::Reset), "a FIN that is out does not stop a reset");
}

#[test]
fn a_lane_cleared_for_a_reset_has_its_end_due_at_once() {
    let mut lane = Lane::new();
    lane.push(ms(5), b"lost", Some(1));
    assert_eq!(lane.clear(), 4);
    lane.finish(ms(1), Ending::Reset);
    assert_eq!(lane.deadline(), Some(ms(1)));
    assert_eq!(lane.end_due(ms(1)), Some(Ending::Reset));
    assert!(owns_no_memory(&lane));
}

#[test]
fn a_full_lane_has_no_room_and_tiny_segments_count_with_their_books() {
    let mut lane = Lane::with_limit(100);
    assert_eq!(lane.room(0), 88, "an eighth is its neighbour's");
    lane.push(ms(1), &[0; 150], Some(1));
    assert_eq!((lane.len(), lane.room(0)), (150, 0));
    let mut tiny: Lane<u32> = Lane::new();
    let most = (1..=LANE_LIMIT as u64).find(|&n| {
        tiny.push(Time::from_nanos(n), b"x", None);
        tiny.room(0) == 0
    });
    assert!(most.unwrap() < 50_000, "{most:?} segments of one byte");
}

/// What a lane takes of the machine while it is filled, in pieces as they are read: not twice its limit, as memory that
/// doubles would be.
#[test]
fn a_lane_takes_no_more_memory_than_its_limit_and_one_read() {
    for (size, note) in [(1_000, None), (65_536, None), (64, Some(1)), (2, Some(1))] {
        let mut lane: Lane<u32> = Lane::new();
        let piece = vec![0; size];
        for nth in 1.. {
            if lane.room(0) == 0 {
                break;
            }
            lane.push(Time::from_nanos(nth), &piece, note);
        }
        let queue = lane.queue.as_ref().unwrap();
        let books = queue.segments.capacity() * size_of::<Segment<u32>>();
        let taken = queue.bytes.capacity() + books;
        assert!(taken <= LANE_LIMIT + LANE_LIMIT / 4 + size, "{taken} at {size}");
    }
}

#[test]
fn two_lanes_share_a_limit_and_a_full_one_leaves_the_other_its_part() {
    let (mut one, mut other) = (Lane::<u32>::new(), Lane::<u32>::new());
    assert_eq!(one.room(0), LANE_LIMIT / 8 * 7);
    let fill = |lane: &mut Lane<u32>, beside| {
        while lane.room(beside) > 0 {
            lane.push(ms(1), &[0; 1024], None);
        }
    };
    fill(&mut one, other.used());
    assert!(other.room(one.used()) > LANE_LIMIT / 8 - 4096);
    fill(&mut other, one.used());
    assert!(one.used() + other.used() < LANE_LIMIT + 2 * 1024 + 4096);
    write(&mut one, ms(1), LANE_LIMIT / 2);
    assert!(other.room(one.used()) > 0 && one.room(other.used()) > 0);
    one.push(ms(2), &vec![0; 16 * LANE_LIMIT], Some(1));
    other.clear();
    assert_eq!(other.room(one.used()), LANE_LIMIT / 8, "whatever a fault puts into the other");
}

#[derive(Clone, Debug)]
enum Step {
    Push { delay: u64, length: usize, noted: bool },
    Wait(u64),
    Write(usize),
    Gate(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..20u64, 0..40usize, any::<bool>())
            .prop_map(|(delay, length, noted)| Step::Push { delay, length, noted }),
        3 => (0..15u64).prop_map(Step::Wait),
        3 => (0..60usize).prop_map(Step::Write),
        1 => any::<bool>().prop_map(Step::Gate),
    ]
}

/// What is counted at once, as if it were one by one.
fn one_by_one(told: Vec<Left<u32>>) -> Vec<Left<u32>> {
    let each = |left| match left {
        Left::Note(..) => vec![left],
        Left::Tallied(count) => vec![Left::Tallied(1); usize::try_from(count).unwrap()],
    };
    told.into_iter().flat_map(each).collect()
}

/// The lane beside the plainest thing that could work: every byte with its own release time.
#[derive(Default)]
struct Model {
    lane: Lane<u32>,
    waiting: VecDeque<(u8, Time)>,
    /// Each with the position that it is told of at.
    left: VecDeque<(Left<u32>, usize)>,
    latest: Time,
    now: Time,
    open: bool,
    pushed: usize,
    written: usize,
}

impl Model {
    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Push { delay, length, noted } => self.push(delay, length, noted && length > 0),
            Step::Wait(millis) => self.now += ms(millis).elapsed(),
            Step::Write(most) => self.write(most),
            Step::Gate(open) => {
                self.open = open;
                self.lane.gate(open);
            }
        }
        assert_eq!(self.lane.len(), self.waiting.len());
        let next = self.waiting.front().map(|&(_, release)| release);
        assert_eq!(self.lane.deadline(), next.filter(|_| self.open));
        assert!(!self.lane.is_empty() || owns_no_memory(&self.lane));
    }

    fn push(&mut self, delay: u64, length: usize, noted: bool) {
        let bytes: Vec<u8> = (self.pushed..self.pushed + length).map(|i| i.to_le_bytes()[0]).collect();
        let release = self.now + ms(delay).elapsed();
        let note = noted.then(|| u32::try_from(self.pushed).unwrap());
        assert!(self.lane.push(release, &bytes, note));
        self.pushed += length;
        if length > 0 {
            self.latest = self.latest.max(release);
            self.waiting.extend(bytes.iter().map(|&byte| (byte, self.latest)));
            self.left.extend(note.map(|note| (Left::Note(note, self.latest), self.pushed)));
        }
        if !noted && length > 1 {
            // All but one of these bytes are counted.
            let first = self.pushed - length;
            self.lane.tally(self.lane.len() - length, 1..length);
            self.left.extend((1..length).map(|at| (Left::Tallied(1), first + at)));
        }
    }

    fn write(&mut self, most: usize) {
        let (bytes, told) = write(&mut self.lane, self.now, most);
        let due = self.waiting.iter().take_while(|(_, release)| self.open && *release <= self.now).count();
        let expected: Vec<u8> = self.waiting.drain(..due.min(most)).map(|(byte, _)| byte).collect();
        assert_eq!(bytes, expected);
        self.written += bytes.len();
        let due = self.left.iter().take_while(|(_, end)| *end <= self.written).count();
        let expected = self.left.drain(..due).map(|(left, _)| left).collect();
        assert_eq!(one_by_one(told), one_by_one(expected));
    }
}

proptest! {
    #[test]
    fn any_use_keeps_order_and_bytes_and_is_never_early(steps in prop::collection::vec(step(), 0..200)) {
        let mut model = Model { open: true, ..Model::default() };
        steps.iter().for_each(|step| model.apply(step));
        model.apply(&Step::Gate(true));
        model.lane.finish(model.now, Ending::Fin);
        prop_assert_eq!(model.lane.end_due(Time::MAX).is_some(), model.waiting.is_empty());
        model.now += ms(1_000).elapsed();
        model.write(usize::MAX);
        prop_assert_eq!(model.written, model.pushed);
        prop_assert!(model.left.is_empty());
        prop_assert_eq!(model.lane.end_due(model.now), Some(Ending::Fin));
        prop_assert!(owns_no_memory(&model.lane));
    }
}
