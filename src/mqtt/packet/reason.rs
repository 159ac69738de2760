//! Return codes (3.1, 3.1.1) and reason codes (5, section 2.4) by name.

/// CONNACK return codes of MQTT 3.1 and 3.1.1 (section 3.2.2.3).
pub mod v3 {
    /// Connection accepted.
    pub const ACCEPTED: u8 = 0;
    /// The hub does not speak this protocol level.
    pub const UNACCEPTABLE_PROTOCOL: u8 = 1;
    /// The client identifier is not allowed.
    pub const IDENTIFIER_REJECTED: u8 = 2;
    /// The hub is there, the MQTT service is not.
    pub const SERVER_UNAVAILABLE: u8 = 3;
    /// The user name or the password is malformed.
    pub const BAD_USER_NAME_OR_PASSWORD: u8 = 4;
    /// The device may not connect.
    pub const NOT_AUTHORIZED: u8 = 5;
    /// SUBACK: the subscription failed (3.1.1 only).
    pub const SUBSCRIBE_FAILURE: u8 = 0x80;
}

macro_rules! reasons {
    ($($number:literal $name:ident $text:literal;)*) => {
        $(#[doc = concat!($text, ".")] pub const $name: u8 = $number;)*

        /// The name of an MQTT 5 reason code, as the specification writes it; `None` if it defines none.
        ///
        /// 0x00 is also Normal disconnection and Granted QoS 0, 0x01 and 0x02 are Granted QoS 1 and 2.
        pub fn name(code: u8) -> Option<&'static str> {
            match code {
                $($number => Some($text),)*
                _ => None,
            }
        }
    };
}

reasons! {
    0x00 SUCCESS "Success";
    0x01 GRANTED_QOS_1 "Granted QoS 1";
    0x02 GRANTED_QOS_2 "Granted QoS 2";
    0x04 DISCONNECT_WITH_WILL "Disconnect with Will Message";
    0x10 NO_MATCHING_SUBSCRIBERS "No matching subscribers";
    0x11 NO_SUBSCRIPTION_EXISTED "No subscription existed";
    0x18 CONTINUE_AUTHENTICATION "Continue authentication";
    0x19 RE_AUTHENTICATE "Re-authenticate";
    0x80 UNSPECIFIED_ERROR "Unspecified error";
    0x81 MALFORMED_PACKET "Malformed Packet";
    0x82 PROTOCOL_ERROR "Protocol Error";
    0x83 IMPLEMENTATION_SPECIFIC_ERROR "Implementation specific error";
    0x84 UNSUPPORTED_PROTOCOL_VERSION "Unsupported Protocol Version";
    0x85 CLIENT_IDENTIFIER_NOT_VALID "Client Identifier not valid";
    0x86 BAD_USER_NAME_OR_PASSWORD "Bad User Name or Password";
    0x87 NOT_AUTHORIZED "Not authorized";
    0x88 SERVER_UNAVAILABLE "Server unavailable";
    0x89 SERVER_BUSY "Server busy";
    0x8a BANNED "Banned";
    0x8b SERVER_SHUTTING_DOWN "Server shutting down";
    0x8c BAD_AUTHENTICATION_METHOD "Bad authentication method";
    0x8d KEEP_ALIVE_TIMEOUT "Keep Alive timeout";
    0x8e SESSION_TAKEN_OVER "Session taken over";
    0x8f TOPIC_FILTER_INVALID "Topic Filter invalid";
    0x90 TOPIC_NAME_INVALID "Topic Name invalid";
    0x91 PACKET_IDENTIFIER_IN_USE "Packet Identifier in use";
    0x92 PACKET_IDENTIFIER_NOT_FOUND "Packet Identifier not found";
    0x93 RECEIVE_MAXIMUM_EXCEEDED "Receive Maximum exceeded";
    0x94 TOPIC_ALIAS_INVALID "Topic Alias invalid";
    0x95 PACKET_TOO_LARGE "Packet too large";
    0x96 MESSAGE_RATE_TOO_HIGH "Message rate too high";
    0x97 QUOTA_EXCEEDED "Quota exceeded";
    0x98 ADMINISTRATIVE_ACTION "Administrative action";
    0x99 PAYLOAD_FORMAT_INVALID "Payload format invalid";
    0x9a RETAIN_NOT_SUPPORTED "Retain not supported";
    0x9b QOS_NOT_SUPPORTED "QoS not supported";
    0x9c USE_ANOTHER_SERVER "Use another server";
    0x9d SERVER_MOVED "Server moved";
    0x9e SHARED_SUBSCRIPTIONS_NOT_SUPPORTED "Shared Subscriptions not supported";
    0x9f CONNECTION_RATE_EXCEEDED "Connection rate exceeded";
    0xa0 MAXIMUM_CONNECT_TIME "Maximum connect time";
    0xa1 SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED "Subscription Identifiers not supported";
    0xa2 WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED "Wildcard Subscriptions not supported";
}
