//! The table, continued: TLS at a listener, and the faults of TLS.

use super::faults::{FOR, OTHER};
use super::{Key, Place, Presence, Type, Word};

/// TLS at a listener.
pub(super) static TLS: Place = Place {
    name: "tls",
    doc: "Where TLS begins and ends at a listener. Paths are absolute or from the current directory.",
    one_of: &[],
    keys: &[
        Key {
            name: "mode",
            ty: Type::Word(MODES),
            presence: Presence::Required,
            doc: "Which legs have TLS of brownout's own.",
            example: "terminate",
        },
        file(
            "certificate",
            "a certificate is made for each name by the CA of `ca`",
            "`terminate`, `reoriginate`: PEM file of the certificate chain that devices are shown, its own first.",
            "server.pem",
        ),
        file("key", "needs `certificate` beside it", "PEM file of the key of `certificate`.", "server.key"),
        file(
            "ca",
            "`brownout-ca`, where no `certificate` is given",
            "`terminate`, `reoriginate`: the directory of the CA that `brownout ca` makes; it signs a certificate for \
             each name that devices ask for, and, beside `certificate`, those of certificate faults.",
            "brownout-ca",
        ),
        Key {
            name: "client_certificates",
            ty: Type::Word(&[
                Word { word: "none", doc: "devices are not asked for a certificate" },
                Word { word: "request", doc: "they may present one" },
                Word { word: "require", doc: "they have to present one" },
            ]),
            presence: Presence::Default("none"),
            doc: "`terminate`, `reoriginate`: whether devices are asked for a certificate.",
            example: "request",
        },
        file(
            "client_ca",
            "any certificate is taken",
            "PEM file of the CAs that devices' certificates have to come from.",
            "devices-ca.pem",
        ),
        file(
            "hub_ca",
            "the CAs of the system",
            "`reoriginate`, `originate`: PEM file of the CAs that the hub's certificate has to come from.",
            "hub-ca.pem",
        ),
        Key {
            name: "hub_name",
            ty: Type::Host,
            presence: Presence::Optional(
                "the host of `upstream`; where a route led there, the name that the device asked for",
            ),
            doc: "`reoriginate`, `originate`: the name that the hub is asked for, and that its certificate has to be for.",
            example: "hub.example.com",
        },
        Key {
            name: "hub_verify",
            ty: Type::Bool,
            presence: Presence::Default("true"),
            doc: "`reoriginate`, `originate`: whether the hub's certificate is verified; reports say where it is not.",
            example: "false",
        },
        file(
            "hub_certificate",
            "the hub is shown none",
            "`reoriginate`, `originate`: PEM file of the certificate chain that the hub is shown.",
            "bridge.pem",
        ),
        file(
            "hub_key",
            "needs `hub_certificate` beside it",
            "PEM file of the key of `hub_certificate`.",
            "bridge.key",
        ),
        file(
            "hub_certificates",
            "the hub is shown `hub_certificate`, or none",
            "`reoriginate`: directory of certificates that the hub is shown, `NAME.pem` and `NAME.key` for the common \
             name of the certificate that the device presents.",
            "devices/",
        ),
        Key {
            name: "routes",
            ty: Type::Many { place: &ROUTES, most: 1000 },
            presence: Presence::Optional("all go to `upstream`"),
            doc: "`passthrough`, `terminate`, `reoriginate`: other hubs by the server name that the device asks for; \
                  the first that matches.",
            example: "[{ sni: \"*.eu.example.com\", upstream: \"hub2:8883\" }]",
        },
    ],
};

const fn file(name: &'static str, without: &'static str, doc: &'static str, example: &'static str) -> Key {
    Key { name, ty: Type::Path, presence: Presence::Optional(without), doc, example }
}

const MODES: &[Word] = &[
    Word {
        word: "passthrough",
        doc: "TLS goes through as it is: brownout has no keys, sees no MQTT packet, and knows devices by address and \
              by the server name that they ask for",
    },
    Word { word: "terminate", doc: "TLS with devices, plain to the hub" },
    Word { word: "reoriginate", doc: "TLS with devices, and TLS again to the hub" },
    Word { word: "originate", doc: "plain with devices, TLS to the hub" },
];

static ROUTES: Place = Place {
    name: "routes",
    doc: "Another hub for some server names.",
    one_of: &[],
    keys: &[
        Key {
            name: "sni",
            ty: Type::Glob,
            presence: Presence::Required,
            doc: "The server name that the device's TLS asks for.",
            example: "\"*.eu.example.com\"",
        },
        Key {
            name: "upstream",
            ty: Type::Address { port_zero: false },
            presence: Presence::Required,
            doc: "The host and port of that hub.",
            example: "\"hub2:8883\"",
        },
    ],
};

/// Handshakes go wrong.
pub(super) static TLS_HANDSHAKE: Place = Place {
    name: "tls_handshake",
    doc: "Every TLS handshake with a device that comes meanwhile goes wrong: exactly one of `stall`, `abort`, `alert`, \
          `certificate`. A handshake comes before CONNECT, so only `listener`, `address` and `sni` can say whose it \
          is, and only `at` and `every` when. Needs `mode: terminate` or `mode: reoriginate` (`--tls`). Links that are \
          up stay up.",
    one_of: &["stall", "abort", "alert", "certificate"],
    keys: &[
        Key {
            name: "stall",
            ty: Type::Word(&[
                Word { word: "before_server_hello", doc: "ClientHello is met with silence" },
                Word {
                    word: "after_server_hello",
                    doc: "ServerHello is sent (with TLS 1.2, all of the server's first flight), then silence",
                },
            ]),
            presence: Presence::Optional("another is given"),
            doc: "From where on the handshake is met with silence; it goes on when the fault is over.",
            example: "before_server_hello",
        },
        Key {
            name: "abort",
            ty: Type::Word(&[Word { word: "reset", doc: "RST" }, Word { word: "close", doc: "FIN" }]),
            presence: Presence::Optional("another is given"),
            doc: "The TCP connection is ended after ServerHello.",
            example: "reset",
        },
        Key {
            name: "alert",
            ty: Type::Alert,
            presence: Presence::Optional("another is given"),
            doc: "This alert comes in the place of ServerHello, then FIN.",
            example: "handshake_failure",
        },
        Key {
            name: "certificate",
            ty: Type::Word(&[
                Word { word: "expired", doc: "its time is over since yesterday; needs `ca`" },
                Word { word: "not_yet_valid", doc: "its time begins tomorrow; needs `ca`" },
                Word { word: "wrong_name", doc: "it is for another name; needs `ca`" },
                Word { word: "untrusted_ca", doc: "it is signed by a CA that nobody knows" },
                Word { word: "self_signed", doc: "it is signed by itself" },
            ]),
            presence: Presence::Optional("another is given"),
            doc: "A certificate that a device should refuse.",
            example: "expired",
        },
        FOR,
    ],
};

/// An alert on a live link.
pub(super) static TLS_ALERT: Place = Place {
    name: "tls_alert",
    doc: "A TLS alert on a live link, then FIN, without an MQTT DISCONNECT. The leg that gets it has TLS of brownout's \
          own: the device's with `mode: terminate` or `reoriginate`, the hub's with `reoriginate` or `originate`.",
    one_of: &[],
    keys: &[
        Key {
            name: "alert",
            ty: Type::Alert,
            presence: Presence::Required,
            doc: "The alert.",
            example: "internal_error",
        },
        Key {
            name: "toward",
            ty: Type::Word(&[
                Word { word: "device", doc: "the device's leg" },
                Word { word: "hub", doc: "the hub's leg" },
                Word { word: "both", doc: "both legs" },
            ]),
            presence: Presence::Default("device"),
            doc: "The leg that gets it.",
            example: "hub",
        },
        OTHER,
    ],
};

/// A record harmed.
pub(super) static TLS_RECORD: Place = Place {
    name: "tls_record",
    doc: "One TLS record of a live link is damaged; what comes after it passes as it is. Each damage is fatal to the \
          connection (RFC 8446 section 5.2). Works wherever there is TLS, `mode: passthrough` too.",
    one_of: &[],
    keys: &[
        Key {
            name: "damage",
            ty: Type::Word(&[
                Word {
                    word: "mac",
                    doc: "one bit of the next record of application data is flipped: its MAC is bad",
                },
                Word { word: "type", doc: "its content type is one that does not exist" },
                Word { word: "length", doc: "its length is more than a record may have" },
                Word {
                    word: "truncated",
                    doc: "part of a record is sent, then FIN; the other leg is left half-open",
                },
            ]),
            presence: Presence::Required,
            doc: "What happens to it.",
            example: "mac",
        },
        Key {
            name: "toward",
            ty: Type::Word(&[
                Word { word: "device", doc: "a record to the device" },
                Word { word: "hub", doc: "a record to the hub" },
            ]),
            presence: Presence::Default("device"),
            doc: "Who gets the record.",
            example: "hub",
        },
    ],
};
