//! An event as JSON, straight into memory: what serde_json would write, byte for byte, and several times as fast.
//!
//! serde_json looks through every key for characters to escape, and hands each quote, comma and colon to its writer by
//! itself; and it is told of an event's fields through the two or three adapters that serde makes of `flatten` and `tag`. What
//! our types call their fields and variants is plain text that is known when this is compiled. Text with something to escape,
//! and numbers that may be negative or broken, are left to serde_json. So that is for events alone: what stands before a colon
//! in them is always a name of ours.

use super::Event;
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Error, Result};

/// The digits of 2^64.
const MOST_DIGITS: usize = 20;

/// Room for most lines.
const MOSTLY: usize = 512;

/// The line of an event in `events.jsonl`. Its room is used again for the next one.
#[derive(Debug, Default)]
pub struct Line {
    /// As far as `len` they are the line's.
    bytes: Vec<u8>,
    len: usize,
}

impl Line {
    /// The line of this event, with its end.
    ///
    /// # Errors
    ///
    /// None that is known: an event is data, and memory takes it.
    pub fn of(&mut self, event: &Event) -> Result<&[u8]> {
        self.len = 0;
        let mut outer = Fields::begin(self, b"{", b"}");
        outer.field("seq", &event.seq)?;
        outer.field("t", &event.at)?;
        // What happened goes on with the same object, and ends it.
        event.what.serialize(Json { to: self, place: Place::Begun })?;
        self.put([b"\n"]);
        Ok(&self.bytes[..self.len])
    }

    /// Appends these, one after the other. Most are a few bytes that are known when this is compiled, so this is a store or two
    /// each: a call that copies them would take ten times as long, which is what `copy_from_slice` and iterators come to where
    /// nothing is inlined across units.
    #[inline(always)]
    fn put<const N: usize>(&mut self, pieces: [&[u8]; N]) {
        let mut end = self.len;
        for piece in &pieces {
            end += piece.len();
        }
        if end > self.bytes.len() {
            self.grow(end);
        }
        let mut room = &mut self.bytes[self.len..end];
        for piece in &pieces {
            let (here, rest) = room.split_at_mut(piece.len());
            let mut nth = 0;
            while nth < piece.len() {
                here[nth] = piece[nth];
                nth += 1;
            }
            room = rest;
        }
        self.len = end;
    }

    #[cold]
    fn grow(&mut self, least: usize) {
        self.bytes.resize(least.max(self.bytes.len() * 2).max(MOSTLY), 0);
    }

    /// A name of ours.
    #[inline(always)]
    fn name(&mut self, name: &str) {
        debug_assert!(is_plain(name), "{name}");
        self.put([b"\"", name.as_bytes(), b"\""]);
    }

    /// The same, with the colon that follows.
    #[inline(always)]
    fn key(&mut self, name: &str) {
        debug_assert!(is_plain(name), "{name}");
        self.put([b"\"", name.as_bytes(), b"\":"]);
    }

    #[inline]
    fn number(&mut self, number: u64) {
        match usize::try_from(number) {
            // As many of them are.
            Ok(one @ 0..10) => self.put([&PAIRS[one][1..]]),
            _ => self.digits(number),
        }
    }

    /// Two digits at a time, and all of them moved at once: what stands behind them is overwritten, or not the line's.
    fn digits(&mut self, number: u64) {
        let (mut digits, mut first, mut left) = ([0; 2 * MOST_DIGITS], MOST_DIGITS, number);
        while left >= 10 {
            first -= 2;
            digits[first..first + 2].copy_from_slice(&PAIRS[pair(left)]);
            left /= 100;
        }
        if left > 0 {
            first -= 1;
            digits[first] = PAIRS[pair(left)][1];
        }
        let end = self.len + MOST_DIGITS;
        if end > self.bytes.len() {
            self.grow(end);
        }
        self.bytes[self.len..end].copy_from_slice(&digits[first..first + MOST_DIGITS]);
        self.len = end - first;
    }

    /// Anybody's text.
    fn text(&mut self, text: &str) -> Result<()> {
        if !is_plain(text) {
            self.put([serde_json::to_string(text)?.as_bytes()]);
            return Ok(());
        }
        self.put([b"\"", text.as_bytes(), b"\""]);
        Ok(())
    }
}

/// The numbers below a hundred, as they are written.
static PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut tens, mut ones) = ([[b'0'; 2]; 100], b'0', b'0');
    let mut nth = 0;
    while nth < pairs.len() {
        pairs[nth] = [tens, ones];
        (tens, ones) = if ones == b'9' { (tens + 1, b'0') } else { (tens, ones + 1) };
        nth += 1;
    }
    pairs
};

/// The number of the last two digits of this.
fn pair(number: u64) -> usize {
    usize::try_from(number % 100).unwrap_or(0)
}

/// The bytes that stand for themselves in a string (RFC 8259 section 7): all but `"`, `\` and control characters.
static PLAIN: [bool; 256] = {
    let (mut plain, mut byte) = ([false; 256], 0x20);
    while byte < plain.len() {
        plain[byte] = byte != 0x22 && byte != 0x5c;
        byte += 1;
    }
    plain
};

/// Whether there is nothing to escape. A loop, since what `all` comes to takes four times as many steps.
#[inline]
fn is_plain(text: &str) -> bool {
    for byte in text.as_bytes() {
        if !PLAIN[usize::from(*byte)] {
            return false;
        }
    }
    true
}

/// Writes one value.
struct Json<'a> {
    to: &'a mut Line,
    place: Place,
}

/// Where a value stands.
#[derive(Clone, Copy)]
enum Place {
    /// By itself.
    Value,
    /// In an object, before the colon.
    Name,
    /// In an object that has fields already, of which it is the rest.
    Begun,
}

/// Writes the fields of an object, or the elements of a list. A comma stands behind each of them, until the end takes the last
/// one's place.
struct Fields<'a> {
    to: &'a mut Line,
    end: &'static [u8],
}

impl<'a> Json<'a> {
    #[inline(always)]
    fn value(to: &'a mut Line) -> Json<'a> {
        Json { to, place: Place::Value }
    }

    #[inline(always)]
    fn object(self) -> Fields<'a> {
        match self.place {
            Place::Begun => Fields { to: self.to, end: b"}" },
            Place::Value | Place::Name => Fields::begin(self.to, b"{", b"}"),
        }
    }

    /// What is inside of `{"variant":`.
    fn variant(self, variant: &'static str, begin: &[u8], end: &'static [u8]) -> Fields<'a> {
        self.to.put([b"{"]);
        self.to.key(variant);
        Fields::begin(self.to, begin, end)
    }
}

impl<'a> Fields<'a> {
    #[inline(always)]
    fn begin(to: &'a mut Line, begin: &[u8], end: &'static [u8]) -> Fields<'a> {
        to.put([begin]);
        Fields { to, end }
    }

    #[inline(always)]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(Json::value(self.to))?;
        self.to.put([b","]);
        Ok(())
    }

    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        self.to.key(name);
        self.element(value)
    }

    #[inline(always)]
    fn close(self) {
        if self.to.bytes[..self.to.len].last() == Some(&b',') {
            self.to.len -= 1;
        }
        self.to.put([self.end]);
    }
}

/// What is left to serde_json.
macro_rules! scalars {
    ($($name:ident($value:ty))*) => { $(
        #[inline]
        fn $name(self, value: $value) -> Result<()> {
            self.to.put([serde_json::to_string(&value)?.as_bytes()]);
            Ok(())
        }
    )* };
}

macro_rules! whole_numbers {
    ($($name:ident($value:ty))*) => { $(
        #[inline]
        fn $name(self, value: $value) -> Result<()> {
            self.to.number(value.into());
            Ok(())
        }
    )* };
}

impl<'a> Serializer for Json<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Fields<'a>;
    type SerializeTuple = Fields<'a>;
    type SerializeTupleStruct = Fields<'a>;
    type SerializeTupleVariant = Fields<'a>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    scalars! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_f32(f32) serialize_f64(f64) serialize_char(char) serialize_bytes(&[u8])
    }

    whole_numbers! { serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<()> {
        self.to.put([if value { b"true" } else { b"false" }]);
        Ok(())
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<()> {
        match self.place {
            Place::Name => self.to.key(value),
            Place::Value | Place::Begun => self.to.text(value)?,
        }
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<()> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<()> {
        self.to.put([b"null"]);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<()> {
        match self.place {
            Place::Name => self.to.key(variant),
            Place::Value | Place::Begun => self.to.name(variant),
        }
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        let inside = self.variant(variant, b"", b"}");
        value.serialize(Json::value(inside.to))?;
        inside.close();
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, _: Option<usize>) -> Result<Fields<'a>> {
        Ok(Fields::begin(self.to, b"[", b"]"))
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Fields<'a>> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'a>> {
        Ok(self.variant(variant, b"[", b"]}"))
    }

    #[inline]
    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'a>> {
        Ok(self.object())
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>> {
        Ok(self.object())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'a>> {
        Ok(self.variant(variant, b"{", b"}}"))
    }
}

/// What is a list of values.
macro_rules! lists {
    ($($of:ident $element:ident)*) => { $(
        impl $of for Fields<'_> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn $element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.element(value)
            }

            #[inline(always)]
            fn end(self) -> Result<()> {
                self.close();
                Ok(())
            }
        }
    )* };
}

lists! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

/// What has names of ours.
macro_rules! objects {
    ($($of:ident)*) => { $(
        impl $of for Fields<'_> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
                self.field(name, value)
            }

            #[inline(always)]
            fn end(self) -> Result<()> {
                self.close();
                Ok(())
            }
        }
    )* };
}

objects! { SerializeStruct SerializeStructVariant }

/// What serde makes of `flatten`: keys are names, too.
impl SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<()> {
        name.serialize(Json { to: self.to, place: Place::Name })
    }

    #[inline(always)]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.element(value)
    }

    #[inline(always)]
    fn serialize_entry<K: Serialize + ?Sized, T: Serialize + ?Sized>(
        &mut self,
        name: &K,
        value: &T,
    ) -> Result<()> {
        self.serialize_key(name)?;
        self.serialize_value(value)
    }

    #[inline(always)]
    fn end(self) -> Result<()> {
        self.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One event of each kind at least, as it stands in a log: with all that may be missing, and without.
    const EVENTS: &str = include_str!("testdata/events.jsonl");

    fn written(event: &Event) -> String {
        let mut line = Line::default();
        let line = line.of(event).unwrap().strip_suffix(b"\n").unwrap();
        String::from_utf8(line.to_vec()).unwrap()
    }

    #[test]
    fn each_kind_is_written_as_serde_json_writes_it() {
        let mut kinds = std::collections::BTreeSet::new();
        for line in EVENTS.lines() {
            let event: Event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
            assert_eq!(written(&event), line);
            let kind = line.split("\"event\":\"").nth(1).and_then(|rest| rest.split('"').next());
            kinds.insert(kind.unwrap().to_owned());
        }
        let told = include_str!("../../docs/EVENTS.md").lines();
        let told = told.skip_while(|line| !line.starts_with("| `event`")).skip(2);
        let named = told.map_while(|row| row.strip_prefix("| `")?.split('`').next().map(str::to_owned));
        assert_eq!(kinds, named.collect());
    }

    #[test]
    fn text_with_something_to_escape_is_escaped() {
        for name in ["", "plain", "\"", "a\\b", "\n\u{1}\u{7f}", "é\u{2028}", "</script>"] {
            let what =
                crate::event::What::DeviceNamed { device: crate::base::DeviceId(1), name: name.into() };
            let event = Event { seq: u64::MAX, at: crate::base::Time::from_nanos(0), what };
            assert_eq!(written(&event), serde_json::to_string(&event).unwrap());
        }
    }

    proptest::proptest! {
        /// Whatever a peer calls itself and whatever was counted, one line after the other in the same room.
        #[test]
        fn anybodys_text_and_any_number_are_written_as_serde_json_writes_them(
            text: String, times in 0..2_000_usize, numbers: [u64; 3], code: Option<i32>, some: bool,
        ) {
            use crate::base::{DeviceId, Direction, LinkId, Time};
            use crate::event::{Excuse, MessageNews, Packet, What};
            let (link, long) = (LinkId(numbers[0]), text.repeat(times / (text.len() + 1)));
            let packet = Packet::Publish { topic: long.clone(), qos: 2, dup: some, retain: !some };
            let excuse = some.then_some(Excuse::PerhapsExpired);
            let gap = MessageNews::Gap { from: numbers[1], to: numbers[2], excuse };
            let mut line = Line::default();
            for what in [
                What::DeviceNamed { device: DeviceId(1), name: text.clone() },
                What::Packet {
                    link, direction: Direction::Up, held: some, dropped: false,
                    passed: some.then(|| Box::new(Packet::Subscribe { id: 7, filters: vec![text.clone(), long] })),
                    packet,
                },
                What::CommandEnded { code },
                What::HubUnreachable { link, error: text.clone() },
                What::Message {
                    device: DeviceId(0), link: some.then_some(link), direction: Direction::Down, qos: 0, id: None,
                    news: gap, more: 0,
                },
                What::CommandStopped,
            ] {
                let event = Event { seq: numbers[1], at: Time::from_nanos(numbers[2]), what };
                let written = line.of(&event).unwrap();
                let expected = serde_json::to_string(&event).unwrap() + "\n";
                proptest::prop_assert_eq!(std::str::from_utf8(written).unwrap(), expected);
                proptest::prop_assert_eq!(&serde_json::from_slice::<Event>(written).unwrap(), &event);
            }
        }
    }

    #[test]
    fn numbers_have_all_their_digits() {
        for number in [0, 9, 10, 99, 100, 109, 1_000, 1_234_567_890, u64::MAX / 10, u64::MAX - 1, u64::MAX] {
            let mut line = Line::default();
            line.number(number);
            assert_eq!(&line.bytes[..line.len], number.to_string().as_bytes());
        }
    }
}
