//! What a listener may or may not give, and how it comes to give it.

use super::super::plan::{ClientCertificates, ListenerPlan, TlsPlan};
use super::super::tls::{Wording, mode_named};
use crate::base::Side;
use crate::event::TlsMode;
use crate::fault::Toward;

/// Which CA, and why.
const WHY_CA: &str = ", with the directory that `brownout ca` makes: a device would refuse any other certificate for its \
                      issuer alone";

/// What a listener may or may not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// MQTT packets that brownout can read.
    Mqtt,
    /// brownout as the devices' TLS server.
    Served,
    /// brownout as the hub's TLS client.
    Dialled,
    /// Both.
    ServedAndDialled,
    /// TLS on this leg, whoever's.
    TlsOn(Side),
    /// A ClientHello.
    Sni,
    /// Certificates of devices.
    Subject,
    /// A CA to sign with.
    Ca,
    /// TLS of brownout's own on one of the legs that it falls on.
    CloseNotify(Toward),
}

impl Need {
    pub(super) fn is_met(self, tls: &TlsPlan) -> bool {
        let mode = tls.mode;
        match self {
            Need::Mqtt => mode != TlsMode::Passthrough,
            Need::Served => mode.serves(),
            Need::Dialled => mode.dials(),
            Need::ServedAndDialled => mode.serves() && mode.dials(),
            Need::TlsOn(Side::Device) | Need::Sni => mode.serves() || mode == TlsMode::Passthrough,
            Need::TlsOn(Side::Hub) => mode.dials() || mode == TlsMode::Passthrough,
            Need::Subject => mode.serves() && tls.client_certificates != ClientCertificates::None,
            Need::Ca => mode.serves() && tls.ca.is_some(),
            Need::CloseNotify(toward) => {
                toward.hits(Side::Device) && mode.serves() || toward.hits(Side::Hub) && mode.dials()
            }
        }
    }

    /// Whether keys of the TLS connection are what it takes.
    pub(super) fn is_of_keys(self) -> bool {
        match self {
            Need::Served
            | Need::Dialled
            | Need::ServedAndDialled
            | Need::Subject
            | Need::CloseNotify(_)
            | Need::Mqtt => true,
            Need::TlsOn(_) | Need::Sni | Need::Ca => false,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Need::Mqtt => "MQTT packets that can be read",
            Need::Served => "brownout to be the TLS server of devices",
            Need::Dialled => "brownout to be a TLS client of the hub",
            Need::ServedAndDialled => "TLS of brownout's own on both legs",
            Need::TlsOn(Side::Device) => "TLS on the device's leg",
            Need::TlsOn(Side::Hub) => "TLS on the hub's leg",
            Need::Sni => "devices that speak TLS",
            Need::Subject => "devices that are asked for a certificate",
            Need::Ca => "the CA that devices trust to sign it",
            Need::CloseNotify(_) => "TLS of brownout's own on the leg that is closed",
        }
    }

    /// The modes in which it may be met.
    pub(super) fn modes(self) -> &'static [TlsMode] {
        match self {
            Need::Mqtt | Need::Served | Need::Subject | Need::Ca => {
                &[TlsMode::Terminate, TlsMode::Reoriginate]
            }
            Need::Dialled => &[TlsMode::Reoriginate, TlsMode::Originate],
            Need::ServedAndDialled => &[TlsMode::Reoriginate],
            Need::TlsOn(Side::Device) | Need::Sni => {
                &[TlsMode::Passthrough, TlsMode::Terminate, TlsMode::Reoriginate]
            }
            Need::TlsOn(Side::Hub) => &[TlsMode::Passthrough, TlsMode::Reoriginate, TlsMode::Originate],
            Need::CloseNotify(toward) => match toward {
                Toward::Device => &[TlsMode::Terminate, TlsMode::Reoriginate],
                Toward::Hub => &[TlsMode::Reoriginate, TlsMode::Originate],
                Toward::Both => &[TlsMode::Terminate, TlsMode::Reoriginate, TlsMode::Originate],
            },
        }
    }

    /// The way to it by the listener, `first` of those that lack it.
    pub(super) fn way(self, first: &ListenerPlan, wording: Wording) -> String {
        let modes: Vec<String> = self.modes().iter().map(|mode| mode_named(*mode, wording)).collect();
        let modes = modes.join(" or ");
        let place = match wording {
            Wording::Profile => format!("write {modes} in `tls` of `{}`", first.name),
            Wording::CommandLine => format!("give {modes}"),
        };
        match self {
            Need::Mqtt => {
                let what = mode_named(TlsMode::Terminate, wording);
                format!("choose {what}, for which devices have to trust brownout's CA")
            }
            Need::Subject => match wording {
                Wording::Profile => format!("{place}, and `client_certificates: request` or `require`"),
                Wording::CommandLine => format!("{place}, and --client-certs request or require"),
            },
            Need::Ca => match wording {
                Wording::Profile => format!("write `ca: DIR` in `tls` of `{}`{WHY_CA}", first.name),
                Wording::CommandLine => format!("give --ca DIR{WHY_CA}"),
            },
            Need::Served
            | Need::Dialled
            | Need::ServedAndDialled
            | Need::TlsOn(_)
            | Need::Sni
            | Need::CloseNotify(_) => place,
        }
    }

    /// What a rule may do.
    pub(super) fn help(self, first: &ListenerPlan, wording: Wording) -> String {
        let way = self.way(first, wording);
        if self == Need::Mqtt {
            format!("use `at` or `every`, and `address` or `sni` in `who`; or {way}")
        } else {
            way
        }
    }

    /// What a listener has in the place of what is needed.
    pub(super) fn lacking(self, tls: &TlsPlan) -> &'static str {
        match self {
            Need::Ca if tls.mode.serves() => "a certificate, and no CA",
            Need::Subject if tls.mode.serves() => "devices are not asked",
            Need::Mqtt
            | Need::Served
            | Need::Dialled
            | Need::ServedAndDialled
            | Need::TlsOn(_)
            | Need::Sni
            | Need::Subject
            | Need::Ca
            | Need::CloseNotify(_) => tls.mode.words(),
        }
    }
}
