//! MQTT 5 properties (section 2.2.2): the one table of them, the one walk over them.
//!
//! A row of the table says number, wire type, name and the packets that may carry it; the enums, the reading and
//! the writing follow from the row. [`walk`] reads leniently, for the proxy; [`Properties::read`] is the walk with
//! the rules of section 2.2.2.2 on top.

use super::error::{DecodeError, EncodeError};
use super::kind::PacketKind;
use super::topic::TopicProblem;
use super::wire::{Reader, put_binary, put_varint};
use std::ops::RangeInclusive;

/// Where properties stand: in a packet of some type, or in the will of a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A packet's own.
    Packet(PacketKind),
    /// The will's, in CONNECT.
    Will,
}

impl Place {
    fn bit(self) -> u16 {
        match self {
            Place::Packet(kind) => kind.bit(),
            Place::Will => WILL,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Place::Packet(kind) => kind.name(),
            Place::Will => "the will",
        }
    }
}

// Packet types from 1 up have the bits of `PacketKind::bit`; type 0 is reserved, its bit is free for the will.
const WILL: u16 = 1;
const CONNECT: u16 = PacketKind::Connect.bit();
const CONNACK: u16 = PacketKind::Connack.bit();
const PUBLISH: u16 = PacketKind::Publish.bit();
const SUBSCRIBE: u16 = PacketKind::Subscribe.bit();
const DISCONNECT: u16 = PacketKind::Disconnect.bit();
const AUTH: u16 = PacketKind::Auth.bit();
const ACKS: u16 = PacketKind::Puback.bit()
    | PacketKind::Pubrec.bit()
    | PacketKind::Pubrel.bit()
    | PacketKind::Pubcomp.bit()
    | PacketKind::Suback.bit()
    | PacketKind::Unsuback.bit();
const EVERYWHERE: u16 =
    WILL | CONNECT | CONNACK | PUBLISH | SUBSCRIBE | DISCONNECT | AUTH | ACKS | PacketKind::Unsubscribe.bit();

/// One of the seven wire types: how a value is read and written.
trait Wire {
    type Value;
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self::Value, DecodeError>;
    fn write(value: &Self::Value, field: &'static str, out: &mut Vec<u8>) -> Result<(), EncodeError>;
    /// The value, if the wire type is one of the integers.
    fn integer(_: &Self::Value) -> Option<u32> {
        None
    }
    /// Bytes of text or data in it.
    fn len(_: &Self::Value) -> usize {
        0
    }
}

macro_rules! integer_wire {
    ($name:ident, $value:ident) => {
        struct $name;
        impl Wire for $name {
            type Value = $value;
            fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<$value, DecodeError> {
                reader.$value(field)
            }
            fn write(value: &$value, _: &'static str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                out.extend_from_slice(&value.to_be_bytes());
                Ok(())
            }
            fn integer(value: &$value) -> Option<u32> {
                Some(u32::from(*value))
            }
        }
    };
}

integer_wire!(Byte, u8);
integer_wire!(TwoByte, u16);
integer_wire!(FourByte, u32);

struct VarByte;
impl Wire for VarByte {
    type Value = u32;
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<u32, DecodeError> {
        reader.varint(field)
    }
    fn write(value: &u32, _: &'static str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_varint(out, usize::try_from(*value).unwrap_or(usize::MAX))
    }
    fn integer(value: &u32) -> Option<u32> {
        Some(*value)
    }
}

struct Text;
impl Wire for Text {
    type Value = String;
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<String, DecodeError> {
        reader.text(field).map(str::to_owned)
    }
    fn write(value: &String, field: &'static str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_binary(out, field, value.as_bytes())
    }
    fn len(value: &String) -> usize {
        value.len()
    }
}

struct Binary;
impl Wire for Binary {
    type Value = Vec<u8>;
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<u8>, DecodeError> {
        reader.binary(field).map(<[u8]>::to_vec)
    }
    fn write(value: &Vec<u8>, field: &'static str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_binary(out, field, value)
    }
    fn len(value: &Vec<u8>) -> usize {
        value.len()
    }
}

struct Pair;
impl Wire for Pair {
    type Value = (String, String);
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<(String, String), DecodeError> {
        Ok((Text::read(reader, field)?, Text::read(reader, field)?))
    }
    fn write(value: &(String, String), field: &'static str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Text::write(&value.0, field, out)?;
        Text::write(&value.1, field, out)
    }
    fn len(value: &(String, String)) -> usize {
        value.0.len() + value.1.len()
    }
}

/// What an integer may be, where not every value of its wire type.
struct Range {
    values: RangeInclusive<u32>,
    allowed: &'static str,
}

macro_rules! range {
    () => {
        None
    };
    ($low:literal to $high:literal) => {
        Some(Range { values: $low..=$high, allowed: concat!($low, " to ", $high) })
    };
}

macro_rules! properties {
    ($(
        $number:literal $variant:ident($wire:ident: $value:ty) $name:literal in $places:expr
        $(, $low:literal to $high:literal)?;
    )*) => {
        /// Which property.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum PropertyId {
            $(#[doc = concat!($name, " (identifier ", stringify!($number), ").")] $variant,)*
        }

        /// A property with its value.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Property {
            $(#[doc = concat!($name, " (identifier ", stringify!($number), ").")] $variant($value),)*
        }

        impl PropertyId {
            /// Every property, by number.
            pub const ALL: &[PropertyId] = &[$(PropertyId::$variant,)*];

            /// From the identifier on the wire.
            pub fn from_number(number: u32) -> Option<PropertyId> {
                match number {
                    $($number => Some(PropertyId::$variant),)*
                    _ => None,
                }
            }

            /// The identifier on the wire.
            pub fn number(self) -> u8 {
                match self { $(PropertyId::$variant => $number,)* }
            }

            /// The name in the specification.
            pub fn name(self) -> &'static str {
                match self { $(PropertyId::$variant => $name,)* }
            }

            fn places(self) -> u16 {
                match self { $(PropertyId::$variant => $places,)* }
            }

            fn range(self) -> Option<Range> {
                match self { $(PropertyId::$variant => range!($($low to $high)?),)* }
            }
        }

        impl Property {
            /// Which property it is.
            pub fn id(&self) -> PropertyId {
                match self { $(Property::$variant(_) => PropertyId::$variant,)* }
            }

            fn read(id: PropertyId, reader: &mut Reader<'_>) -> Result<Property, DecodeError> {
                Ok(match id {
                    $(PropertyId::$variant => Property::$variant(<$wire as Wire>::read(reader, $name)?),)*
                })
            }

            fn integer(&self) -> Option<u32> {
                match self { $(Property::$variant(value) => <$wire as Wire>::integer(value),)* }
            }

            /// Bytes of memory that it takes, all told.
            fn held(&self) -> usize {
                let text = match self { $(Property::$variant(value) => <$wire as Wire>::len(value),)* };
                size_of::<Property>() + text
            }

            fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                out.push(self.id().number());
                match self {
                    $(Property::$variant(value) => <$wire as Wire>::write(value, $name, out),)*
                }
            }
        }
    };
}

properties! {
    0x01 PayloadFormat(Byte: u8) "Payload Format Indicator" in PUBLISH | WILL, 0 to 1;
    0x02 MessageExpiry(FourByte: u32) "Message Expiry Interval" in PUBLISH | WILL;
    0x03 ContentType(Text: String) "Content Type" in PUBLISH | WILL;
    0x08 ResponseTopic(Text: String) "Response Topic" in PUBLISH | WILL;
    0x09 CorrelationData(Binary: Vec<u8>) "Correlation Data" in PUBLISH | WILL;
    0x0b SubscriptionIdentifier(VarByte: u32) "Subscription Identifier" in PUBLISH | SUBSCRIBE, 1 to 268435455;
    0x11 SessionExpiry(FourByte: u32) "Session Expiry Interval" in CONNECT | CONNACK | DISCONNECT;
    0x12 AssignedClientId(Text: String) "Assigned Client Identifier" in CONNACK;
    0x13 ServerKeepAlive(TwoByte: u16) "Server Keep Alive" in CONNACK;
    0x15 AuthenticationMethod(Text: String) "Authentication Method" in CONNECT | CONNACK | AUTH;
    0x16 AuthenticationData(Binary: Vec<u8>) "Authentication Data" in CONNECT | CONNACK | AUTH;
    0x17 RequestProblemInformation(Byte: u8) "Request Problem Information" in CONNECT, 0 to 1;
    0x18 WillDelay(FourByte: u32) "Will Delay Interval" in WILL;
    0x19 RequestResponseInformation(Byte: u8) "Request Response Information" in CONNECT, 0 to 1;
    0x1a ResponseInformation(Text: String) "Response Information" in CONNACK;
    0x1c ServerReference(Text: String) "Server Reference" in CONNACK | DISCONNECT;
    0x1f ReasonString(Text: String) "Reason String" in CONNACK | ACKS | DISCONNECT | AUTH;
    0x21 ReceiveMaximum(TwoByte: u16) "Receive Maximum" in CONNECT | CONNACK, 1 to 65535;
    0x22 TopicAliasMaximum(TwoByte: u16) "Topic Alias Maximum" in CONNECT | CONNACK;
    0x23 TopicAlias(TwoByte: u16) "Topic Alias" in PUBLISH, 1 to 65535;
    0x24 MaximumQos(Byte: u8) "Maximum QoS" in CONNACK, 0 to 1;
    0x25 RetainAvailable(Byte: u8) "Retain Available" in CONNACK, 0 to 1;
    0x26 UserProperty(Pair: (String, String)) "User Property" in EVERYWHERE;
    0x27 MaximumPacketSize(FourByte: u32) "Maximum Packet Size" in CONNECT | CONNACK, 1 to 4294967295;
    0x28 WildcardSubscriptionAvailable(Byte: u8) "Wildcard Subscription Available" in CONNACK, 0 to 1;
    0x29 SubscriptionIdentifierAvailable(Byte: u8) "Subscription Identifier Available" in CONNACK, 0 to 1;
    0x2a SharedSubscriptionAvailable(Byte: u8) "Shared Subscription Available" in CONNACK, 0 to 1;
}

/// Reads properties one by one from the bytes after the property length, without judging places or values.
///
/// Ends after the last one, or after the first that cannot be read, which comes as the error.
pub fn walk(block: &[u8]) -> impl Iterator<Item = Result<Property, DecodeError>> {
    let mut reader = Reader::new(block);
    std::iter::from_fn(move || {
        if reader.is_empty() {
            return None;
        }
        let property = next(&mut reader);
        if property.is_err() {
            reader.rest();
        }
        Some(property)
    })
}

/// Where a property stands in the bytes after the property length, its identifier included: the first of them, if none
/// that cannot be read comes before.
pub fn place_of(wanted: PropertyId, block: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut reader = Reader::new(block);
    let mut start = 0;
    while !reader.is_empty() {
        let property = next(&mut reader).ok()?;
        let end = block.len() - reader.clone().rest().len();
        if property.id() == wanted {
            return Some(start..end);
        }
        start = end;
    }
    None
}

fn next(reader: &mut Reader<'_>) -> Result<Property, DecodeError> {
    let number = reader.varint("property identifier")?;
    let id = PropertyId::from_number(number).ok_or(DecodeError::UnknownProperty { number })?;
    Property::read(id, reader)
}

/// The properties of a packet, in their order on the wire, which is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Properties(pub Vec<Property>);

impl Properties {
    /// No properties.
    pub const NONE: Properties = Properties(Vec::new());

    /// The properties that can be read from the packet at `reader`, up to the first that cannot.
    pub fn read_leniently(reader: &mut Reader<'_>) -> Properties {
        let Ok(length) = reader.varint("property length") else { return Properties::NONE };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        // Of a block that is cut off, what is there.
        let block = match reader.bytes(length, "properties") {
            Ok(block) => block,
            Err(_) => reader.rest(),
        };
        Properties(walk(block).map_while(Result::ok).collect())
    }

    /// The properties at `reader`, checked: known, in their place, once unless they may repeat, in their range.
    ///
    /// # Errors
    /// The first that is none of that, or cut off.
    pub fn read(reader: &mut Reader<'_>, place: Place) -> Result<Properties, DecodeError> {
        let length = reader.varint("property length")?;
        let block = reader.bytes(usize::try_from(length).unwrap_or(usize::MAX), "properties")?;
        let mut properties = Properties::NONE;
        for property in walk(block) {
            let property = property?;
            check_place(&properties, property.id(), place)?;
            check_value(&property)?;
            properties.0.push(property);
        }
        Ok(properties)
    }

    /// Appends the property length and the properties.
    ///
    /// # Errors
    /// A value is longer than its field, or all of them than a packet.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut block = Vec::new();
        for property in &self.0 {
            property.write(&mut block)?;
        }
        put_varint(out, block.len())?;
        out.extend_from_slice(&block);
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how many bytes of memory they take: of many short ones, far more than on the wire.
    pub fn held(&self) -> usize {
        self.0.iter().map(Property::held).sum()
    }

    /// The same with one more at the end.
    pub fn with(mut self, property: Property) -> Properties {
        self.0.push(property);
        self
    }

    fn has(&self, id: PropertyId) -> bool {
        self.0.iter().any(|property| property.id() == id)
    }
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $value:ty;)*) => {
        impl Properties {
            $($(#[$doc])* pub fn $name(&self) -> Option<$value> {
                self.0.iter().find_map(|property| {
                    if let Property::$variant(value) = property { Some(value.clone()) } else { None }
                })
            })*
        }
    };
}

getters! {
    /// Session Expiry Interval in seconds; 4,294,967,295 means never.
    session_expiry: SessionExpiry -> u32;
    /// Server Keep Alive in seconds, which replaces the device's own [MQTT-3.2.2-21].
    server_keep_alive: ServerKeepAlive -> u16;
    /// The client identifier that the hub chose.
    assigned_client_id: AssignedClientId -> String;
    /// Will Delay Interval in seconds.
    will_delay: WillDelay -> u32;
    /// Reason String, for people.
    reason_string: ReasonString -> String;
    /// Server Reference: where else to connect.
    server_reference: ServerReference -> String;
    /// Topic Alias, from 1.
    topic_alias: TopicAlias -> u16;
    /// The highest Topic Alias that the sender of this accepts.
    topic_alias_maximum: TopicAliasMaximum -> u16;
    /// How many PUBLISH of QoS 1 and 2 may be unacknowledged, from 1.
    receive_maximum: ReceiveMaximum -> u16;
    /// The largest packet that the sender of this accepts, in bytes, from 1.
    maximum_packet_size: MaximumPacketSize -> u32;
    /// Message Expiry Interval in seconds.
    message_expiry: MessageExpiry -> u32;
    /// Subscription Identifier of a SUBSCRIBE; the first of a PUBLISH.
    subscription_identifier: SubscriptionIdentifier -> u32;
    /// Authentication Method.
    authentication_method: AuthenticationMethod -> String;
    /// Highest QoS that the hub takes: 0 or 1; absent means 2.
    maximum_qos: MaximumQos -> u8;
}

fn check_place(before: &Properties, id: PropertyId, place: Place) -> Result<(), DecodeError> {
    if id.places() & place.bit() == 0 {
        return Err(DecodeError::PropertyPlace { name: id.name(), place: place.name() });
    }
    let repeats = id == PropertyId::UserProperty
        || (id == PropertyId::SubscriptionIdentifier && place == Place::Packet(PacketKind::Publish));
    if !repeats && before.has(id) {
        return Err(DecodeError::PropertyTwice { name: id.name(), place: place.name() });
    }
    Ok(())
}

/// The range of the property's row, and what a Response Topic may not hold [MQTT-3.3.2-14].
fn check_value(property: &Property) -> Result<(), DecodeError> {
    let field = property.id().name();
    if let (Some(value), Some(range)) = (property.integer(), property.id().range())
        && !range.values.contains(&value)
    {
        let rule = "a protocol error by the property's section";
        return Err(DecodeError::Value { field, value, allowed: range.allowed, rule });
    }
    if let Property::ResponseTopic(topic) = property
        && topic.contains(['+', '#'])
    {
        return Err(DecodeError::Topic { field, text: topic.clone(), problem: TopicProblem::Wildcard });
    }
    Ok(())
}
