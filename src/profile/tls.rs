//! TLS at a listener as it was asked for, by a profile or by the command line, and what of it makes no sense.

use super::plan::{ClientCertificates, Route, TlsPlan};
use crate::event::TlsMode;

/// The directory of the CA where neither a certificate nor a CA is named: where `brownout ca` puts it.
pub const DEFAULT_CA: &str = "brownout-ca";

/// How the keys of the language are called where something is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// As keys of a profile.
    Profile,
    /// As options of the command line.
    CommandLine,
}

macro_rules! keys {
    ($($(#[$doc:meta])* $variant:ident = $key:literal, $option:literal;)*) => {
        /// A key of `tls`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum TlsKey { $($(#[$doc])* $variant,)* }

        impl TlsKey {
            /// As it is written, without quotes.
            pub fn name(self, wording: Wording) -> &'static str {
                match (self, wording) {
                    $((TlsKey::$variant, Wording::Profile) => $key,
                      (TlsKey::$variant, Wording::CommandLine) => $option,)*
                }
            }
        }
    };
}

keys! {
    /// The certificate for devices.
    Certificate = "certificate", "--cert";
    /// Its key.
    Key = "key", "--key";
    /// The CA.
    Ca = "ca", "--ca";
    /// Whether devices are asked for a certificate.
    ClientCertificates = "client_certificates", "--client-certs";
    /// Where these come from.
    ClientCa = "client_ca", "--client-ca";
    /// Where the hub's certificate comes from.
    HubCa = "hub_ca", "--hub-ca";
    /// The hub's name.
    HubName = "hub_name", "--hub-name";
    /// Whether the hub's certificate is verified.
    HubVerify = "hub_verify", "--hub-insecure";
    /// The certificate for the hub.
    HubCertificate = "hub_certificate", "--hub-cert";
    /// Its key.
    HubKey = "hub_key", "--hub-key";
    /// Certificates for the hub, by device.
    HubCertificates = "hub_certificates", "--hub-certs";
    /// Other hubs.
    Routes = "routes", "`routes`";
}

impl TlsKey {
    /// Whether it says something in this mode.
    pub fn has_meaning(self, mode: TlsMode) -> bool {
        match self {
            TlsKey::Certificate
            | TlsKey::Key
            | TlsKey::Ca
            | TlsKey::ClientCertificates
            | TlsKey::ClientCa => mode.serves(),
            TlsKey::HubCa | TlsKey::HubName | TlsKey::HubVerify | TlsKey::HubCertificate | TlsKey::HubKey => {
                mode.dials()
            }
            TlsKey::HubCertificates => mode.serves() && mode.dials(),
            TlsKey::Routes => mode.serves() || mode == TlsMode::Passthrough,
        }
    }

    fn quoted(self, wording: Wording) -> String {
        match wording {
            Wording::Profile => format!("`{}`", self.name(wording)),
            Wording::CommandLine => self.name(wording).to_owned(),
        }
    }
}

/// What was said of TLS; `None` where nothing was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsParts {
    /// Where TLS begins and ends.
    pub mode: TlsMode,
    /// PEM file of the certificate chain for devices.
    pub certificate: Option<String>,
    /// PEM file of its key.
    pub key: Option<String>,
    /// Directory of the CA.
    pub ca: Option<String>,
    /// Whether devices are asked for a certificate.
    pub client_certificates: Option<ClientCertificates>,
    /// PEM file of the CAs of these.
    pub client_ca: Option<String>,
    /// PEM file of the CAs of the hub.
    pub hub_ca: Option<String>,
    /// The hub's name.
    pub hub_name: Option<String>,
    /// Whether the hub's certificate is verified.
    pub hub_verify: Option<bool>,
    /// PEM file of the certificate chain for the hub.
    pub hub_certificate: Option<String>,
    /// PEM file of its key.
    pub hub_key: Option<String>,
    /// Directory of certificates for the hub.
    pub hub_certificates: Option<String>,
    /// Other hubs.
    pub routes: Option<Vec<Route>>,
}

/// What makes no sense in [`TlsParts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsTrouble {
    /// The key says nothing in this mode.
    Meaningless {
        /// The key.
        key: TlsKey,
        /// The mode.
        mode: TlsMode,
    },
    /// One of two keys that go together is missing.
    Unpaired {
        /// The one that is there.
        given: TlsKey,
        /// The one that is not.
        missing: TlsKey,
    },
    /// The key is about certificates of devices, and these are not asked for any.
    NotAsked {
        /// The key.
        key: TlsKey,
    },
}

impl TlsTrouble {
    /// The key that it is about.
    pub fn key(self) -> TlsKey {
        match self {
            TlsTrouble::Meaningless { key, .. } | TlsTrouble::NotAsked { key } => key,
            TlsTrouble::Unpaired { given, .. } => given,
        }
    }

    /// What is wrong, in one line.
    pub fn message(self, wording: Wording) -> String {
        let key = self.key().quoted(wording);
        match self {
            TlsTrouble::Meaningless { mode: TlsMode::None, .. } => {
                format!("{key} has no meaning without TLS")
            }
            TlsTrouble::Meaningless { mode, .. } => {
                format!("{key} has no meaning with {} ({})", mode_named(mode, wording), mode.words())
            }
            TlsTrouble::Unpaired { missing, .. } => {
                format!("{key} needs {} beside it", missing.quoted(wording))
            }
            TlsTrouble::NotAsked { .. } => {
                format!("{key} has no meaning: no device is asked for a certificate")
            }
        }
    }

    /// What to do.
    pub fn help(self, wording: Wording) -> String {
        let key = self.key().quoted(wording);
        match self {
            TlsTrouble::Meaningless { key: about, .. } => {
                let modes =
                    [TlsMode::Passthrough, TlsMode::Terminate, TlsMode::Reoriginate, TlsMode::Originate];
                let fit = modes.into_iter().filter(|mode| about.has_meaning(*mode));
                let fit: Vec<String> = fit.map(|mode| mode_named(mode, wording)).collect();
                format!("take {key} out, or choose {}", fit.join(" or "))
            }
            TlsTrouble::Unpaired { missing, .. } => {
                format!("add {}, or take {key} out", missing.quoted(wording))
            }
            TlsTrouble::NotAsked { .. } => {
                let asked = match wording {
                    Wording::Profile => "`client_certificates: request` or `client_certificates: require`",
                    Wording::CommandLine => "--client-certs request or --client-certs require",
                };
                format!("add {asked}, or take {key} out")
            }
        }
    }
}

/// `` `mode: terminate` ``, `--tls terminate`
pub(super) fn mode_named(mode: TlsMode, wording: Wording) -> String {
    let word = mode_word(mode);
    match wording {
        Wording::Profile => format!("`mode: {word}`"),
        Wording::CommandLine => format!("--tls {word}"),
    }
}

/// The word of the language for it.
pub fn mode_word(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::None => "none",
        TlsMode::Passthrough => "passthrough",
        TlsMode::Terminate => "terminate",
        TlsMode::Reoriginate => "reoriginate",
        TlsMode::Originate => "originate",
    }
}

impl TlsParts {
    /// Whether nothing was said but the mode.
    fn said(&self) -> Vec<TlsKey> {
        [
            (TlsKey::Certificate, self.certificate.is_some()),
            (TlsKey::Key, self.key.is_some()),
            (TlsKey::Ca, self.ca.is_some()),
            (TlsKey::ClientCertificates, self.client_certificates.is_some()),
            (TlsKey::ClientCa, self.client_ca.is_some()),
            (TlsKey::HubCa, self.hub_ca.is_some()),
            (TlsKey::HubName, self.hub_name.is_some()),
            (TlsKey::HubVerify, self.hub_verify.is_some()),
            (TlsKey::HubCertificate, self.hub_certificate.is_some()),
            (TlsKey::HubKey, self.hub_key.is_some()),
            (TlsKey::HubCertificates, self.hub_certificates.is_some()),
            (TlsKey::Routes, self.routes.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, is_said)| is_said.then_some(key))
        .collect()
    }

    /// All that makes no sense.
    pub fn troubles(&self) -> Vec<TlsTrouble> {
        let said = self.said();
        let mut troubles = Vec::new();
        for key in &said {
            if !key.has_meaning(self.mode) {
                troubles.push(TlsTrouble::Meaningless { key: *key, mode: self.mode });
            }
        }
        let sound = |key: &TlsKey| said.contains(key) && key.has_meaning(self.mode);
        for (first, second) in [(TlsKey::Certificate, TlsKey::Key), (TlsKey::HubCertificate, TlsKey::HubKey)]
        {
            match (sound(&first), sound(&second)) {
                (true, false) => troubles.push(TlsTrouble::Unpaired { given: first, missing: second }),
                (false, true) => troubles.push(TlsTrouble::Unpaired { given: second, missing: first }),
                (true, true) | (false, false) => {}
            }
        }
        let asked = self.client_certificates.unwrap_or_default();
        if asked == ClientCertificates::None {
            let about = [TlsKey::ClientCa, TlsKey::HubCertificates].into_iter().filter(sound);
            troubles.extend(about.map(|key| TlsTrouble::NotAsked { key }));
        }
        troubles
    }

    /// The plan of it, with the defaults put in. Only where there is no trouble does it say what was meant.
    pub fn plan(self) -> TlsPlan {
        let default_ca = (self.mode.serves() && self.certificate.is_none()).then(|| DEFAULT_CA.to_owned());
        TlsPlan {
            mode: self.mode,
            certificate: self.certificate,
            key: self.key,
            ca: self.ca.or(default_ca),
            client_certificates: self.client_certificates.unwrap_or_default(),
            client_ca: self.client_ca,
            hub_ca: self.hub_ca,
            hub_name: self.hub_name,
            hub_unverified: self.hub_verify == Some(false),
            hub_certificate: self.hub_certificate,
            hub_key: self.hub_key,
            hub_certificates: self.hub_certificates,
            routes: self.routes.unwrap_or_default(),
        }
    }
}

impl From<TlsPlan> for TlsParts {
    /// What would have to be said for this plan.
    fn from(plan: TlsPlan) -> TlsParts {
        let asks = plan.client_certificates != ClientCertificates::None;
        TlsParts {
            mode: plan.mode,
            // The CA that stands there by default would stay where a certificate is put in its place.
            ca: plan.ca.filter(|ca| plan.certificate.is_some() || ca != DEFAULT_CA),
            certificate: plan.certificate,
            key: plan.key,
            client_certificates: asks.then_some(plan.client_certificates),
            client_ca: plan.client_ca,
            hub_ca: plan.hub_ca,
            hub_name: plan.hub_name,
            hub_verify: plan.hub_unverified.then_some(false),
            hub_certificate: plan.hub_certificate,
            hub_key: plan.hub_key,
            hub_certificates: plan.hub_certificates,
            routes: (!plan.routes.is_empty()).then_some(plan.routes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [TlsMode; 5] =
        [TlsMode::None, TlsMode::Passthrough, TlsMode::Terminate, TlsMode::Reoriginate, TlsMode::Originate];

    fn all(mode: TlsMode) -> TlsParts {
        let some = || Some("a".to_owned());
        TlsParts {
            mode,
            certificate: some(),
            key: some(),
            ca: some(),
            client_certificates: Some(ClientCertificates::Require),
            client_ca: some(),
            hub_ca: some(),
            hub_name: some(),
            hub_verify: Some(false),
            hub_certificate: some(),
            hub_key: some(),
            hub_certificates: some(),
            routes: Some(vec![Route { sni: "*".into(), upstream: "h:1".into() }]),
        }
    }

    #[test]
    fn each_key_has_meaning_in_its_modes_alone() {
        let meaningless = MODES.map(|mode| all(mode).troubles().len());
        // Of 12: all; all but the routes; the hub's six; none; the device's five, `hub_certificates` and the routes.
        assert_eq!(meaningless, [12, 11, 6, 0, 7]);
    }

    #[test]
    fn a_pair_stands_together_or_not_at_all() {
        let troubled =
            |parts: TlsParts| parts.troubles().into_iter().map(TlsTrouble::key).collect::<Vec<_>>();
        let full = all(TlsMode::Reoriginate);
        assert_eq!(troubled(TlsParts { key: None, ..full.clone() }), [TlsKey::Certificate]);
        assert_eq!(troubled(TlsParts { hub_certificate: None, ..full.clone() }), [TlsKey::HubKey]);
        let unasked = TlsParts { client_certificates: None, ..full };
        assert_eq!(troubled(unasked), [TlsKey::ClientCa, TlsKey::HubCertificates]);
    }

    #[test]
    fn a_ca_is_taken_for_granted_where_no_certificate_is_given() {
        let parts = |mode| TlsParts { mode, ..TlsParts::default() };
        assert_eq!(parts(TlsMode::Terminate).plan().ca.as_deref(), Some(DEFAULT_CA));
        assert_eq!(
            parts(TlsMode::Passthrough).plan(),
            TlsPlan { mode: TlsMode::Passthrough, ..TlsPlan::default() }
        );
        let given =
            TlsParts { certificate: Some("a".into()), key: Some("b".into()), ..parts(TlsMode::Terminate) };
        assert_eq!(given.plan().ca, None);
    }

    #[test]
    fn what_is_said_of_a_plan_gives_the_plan() {
        for mode in MODES {
            let bare = TlsParts { mode, ..TlsParts::default() }.plan();
            assert_eq!(TlsParts::from(bare.clone()).plan(), bare);
        }
        let full = all(TlsMode::Reoriginate).plan();
        assert_eq!(TlsParts::from(full.clone()).plan(), full);
    }
}
