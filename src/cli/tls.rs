//! TLS on the command line: options to plans, and what is told of it.

use super::args::{CertsWanted, ModeWanted, TlsArgs};
use super::exit::Refusal;
use crate::event::TlsMode;
use crate::profile::{
    self, ClientCertificates, ListenerPlan, Plan, Problem, Severity, TlsParts, TlsPlan, Wording,
};
use std::path::{Path, PathBuf};

/// The plan of the one listener of a run: what the options say, over what the profile says of it. `--tls` begins anew.
pub(super) fn of_listener(args: &TlsArgs, of_profile: Option<&TlsPlan>) -> Result<TlsPlan, Refusal> {
    let Some(option) = first_given(args) else { return Ok(of_profile.cloned().unwrap_or_default()) };
    if let Some(name) = &args.hub_name {
        profile::check_host(name).map_err(|error| Refusal::usage(format!("--hub-name: {error}")))?;
    }
    let base = match (args.tls, of_profile) {
        (Some(mode), _) => TlsParts { mode: mode.into(), ..TlsParts::default() },
        (None, Some(plan)) if plan.mode != TlsMode::None => TlsParts::from(plan.clone()),
        (None, Some(_) | None) => {
            return Err(Refusal::usage(format!(
                "{option} says nothing without TLS: say with --tls where TLS begins and ends, such as --tls terminate"
            )));
        }
    };
    let parts = over(base, args);
    let troubles = parts.troubles();
    if troubles.is_empty() {
        return Ok(parts.plan());
    }
    let told = troubles.into_iter().map(|trouble| {
        format!("{}: {}", trouble.message(Wording::CommandLine), trouble.help(Wording::CommandLine))
    });
    Err(Refusal::usage(told.collect::<Vec<_>>().join("\n  ")))
}

/// What the options say, and else the base.
fn over(base: TlsParts, args: &TlsArgs) -> TlsParts {
    TlsParts {
        mode: base.mode,
        certificate: args.cert.clone().or(base.certificate),
        key: args.key.clone().or(base.key),
        ca: args.ca.clone().or(base.ca),
        client_certificates: args.client_certs.map(ClientCertificates::from).or(base.client_certificates),
        client_ca: args.client_ca.clone().or(base.client_ca),
        hub_ca: args.hub_ca.clone().or(base.hub_ca),
        hub_name: args.hub_name.clone().or(base.hub_name),
        hub_verify: args.hub_insecure.then_some(false).or(base.hub_verify),
        hub_certificate: args.hub_cert.clone().or(base.hub_certificate),
        hub_key: args.hub_key.clone().or(base.hub_key),
        hub_certificates: args.hub_certs.clone().or(base.hub_certificates),
        routes: base.routes,
    }
}

/// The first option of TLS that is given.
pub(super) fn first_given(args: &TlsArgs) -> Option<&'static str> {
    let TlsArgs {
        tls,
        cert,
        key,
        ca,
        client_certs,
        client_ca,
        hub_ca,
        hub_name,
        hub_insecure,
        hub_cert,
        hub_key,
        hub_certs,
    } = args;
    [
        ("--tls", tls.is_some()),
        ("--cert", cert.is_some()),
        ("--key", key.is_some()),
        ("--ca", ca.is_some()),
        ("--client-certs", client_certs.is_some()),
        ("--client-ca", client_ca.is_some()),
        ("--hub-ca", hub_ca.is_some()),
        ("--hub-name", hub_name.is_some()),
        ("--hub-insecure", *hub_insecure),
        ("--hub-cert", hub_cert.is_some()),
        ("--hub-key", hub_key.is_some()),
        ("--hub-certs", hub_certs.is_some()),
    ]
    .into_iter()
    .find_map(|(option, is_given)| is_given.then_some(option))
}

/// The plan of `--tls` alone.
pub(super) fn bare(mode: ModeWanted) -> TlsPlan {
    TlsParts { mode: mode.into(), ..TlsParts::default() }.plan()
}

/// Options of one listener, and a profile with several.
pub(super) fn not_one(listeners: usize) -> Refusal {
    Refusal::usage(format!(
        "the profile has {listeners} listeners: --listen, --upstream and the options of TLS cannot say which; change \
         the profile"
    ))
}

/// Refuses a plan that these listeners, where they are not the profile's own, do not give what it needs; what is only
/// worth a note comes back as text.
pub(super) fn reach(name: &str, plan: &Plan, listeners: &[ListenerPlan]) -> Result<String, Refusal> {
    if plan.listeners == listeners {
        return Ok(String::new());
    }
    let found = profile::out_of_reach(plan, listeners, Wording::CommandLine);
    let (errors, notes): (Vec<Problem>, Vec<Problem>) = found
        .into_iter()
        .map(|found| Problem {
            severity: found.severity,
            message: found.message,
            marks: Vec::new(),
            help: Some(found.help),
        })
        .partition(|problem| problem.severity == Severity::Error);
    let render = |problems: &[Problem]| profile::render(problems, name, "", super::colour_on_stderr());
    match (errors.as_slice(), notes.as_slice()) {
        ([], []) => Ok(String::new()),
        ([], notes) => Ok(render(notes)),
        (errors, _) => Err(Refusal::usage(format!("{name} cannot be run like this:\n{}", render(errors)))),
    }
}

/// The end of the greeting; nothing without TLS.
pub(super) fn greeting(tls: &TlsPlan) -> String {
    if tls.mode == TlsMode::None {
        return String::new();
    }
    let mut told = format!(", {}", tls.mode.words());
    if tls.hub_unverified {
        told.push_str(", its certificate not verified");
    }
    if let Some(ca) = trusted(tls).filter(|_| tls.certificate.is_none()) {
        told.push_str(&format!("; devices have to trust {}", ca.display()));
    }
    told
}

/// The scheme of the URL that devices connect to.
pub(super) fn scheme(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::None | TlsMode::Originate => "mqtt",
        TlsMode::Passthrough | TlsMode::Terminate | TlsMode::Reoriginate => "mqtts",
    }
}

/// The certificate of the CA that devices have to trust, where there is one.
pub(super) fn trusted(tls: &TlsPlan) -> Option<PathBuf> {
    tls.ca.as_ref().filter(|_| tls.mode.serves()).map(|directory| Path::new(directory).join("ca.pem"))
}

impl From<ModeWanted> for TlsMode {
    fn from(mode: ModeWanted) -> TlsMode {
        match mode {
            ModeWanted::Passthrough => TlsMode::Passthrough,
            ModeWanted::Terminate => TlsMode::Terminate,
            ModeWanted::Reoriginate => TlsMode::Reoriginate,
            ModeWanted::Originate => TlsMode::Originate,
        }
    }
}

impl From<CertsWanted> for ClientCertificates {
    fn from(wanted: CertsWanted) -> ClientCertificates {
        match wanted {
            CertsWanted::None => ClientCertificates::None,
            CertsWanted::Request => ClientCertificates::Request,
            CertsWanted::Require => ClientCertificates::Require,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::{Args, Command};
    use super::*;
    use clap::Parser;

    /// The plan of these options over a profile's.
    fn plan(options: &[&str], of_profile: Option<&TlsPlan>) -> Result<TlsPlan, String> {
        let all = ["brownout", "run", "demo"].iter().chain(options);
        let args = Args::try_parse_from(all).map_err(|error| error.to_string())?;
        let Command::Run(args) = args.command else { return Err("another command".into()) };
        of_listener(&args.tls, of_profile).map_err(|refusal| refusal.message)
    }

    #[test]
    fn every_option_has_its_place_in_the_plan() {
        let options = [
            ["--tls", "reoriginate"],
            ["--cert", "a"],
            ["--key", "b"],
            ["--ca", "c"],
            ["--client-certs", "require"],
            ["--client-ca", "d"],
            ["--hub-ca", "e"],
            ["--hub-name", "hub.example.com"],
            ["--hub-cert", "f"],
            ["--hub-key", "g"],
            ["--hub-certs", "h"],
        ];
        let mut options = options.as_flattened().to_vec();
        options.push("--hub-insecure");
        let some = |text: &str| Some(text.to_owned());
        let wanted = TlsPlan {
            mode: TlsMode::Reoriginate,
            certificate: some("a"),
            key: some("b"),
            ca: some("c"),
            client_certificates: ClientCertificates::Require,
            client_ca: some("d"),
            hub_ca: some("e"),
            hub_name: some("hub.example.com"),
            hub_unverified: true,
            hub_certificate: some("f"),
            hub_key: some("g"),
            hub_certificates: some("h"),
            routes: Vec::new(),
        };
        assert_eq!(plan(&options, None).unwrap(), wanted);
        assert_eq!(plan(&[], Some(&wanted)).unwrap(), wanted);
        assert_eq!(plan(&["--ca", "x"], Some(&wanted)).unwrap().ca, some("x"));
        assert_eq!(plan(&["--tls", "passthrough"], Some(&wanted)).unwrap(), bare(ModeWanted::Passthrough));
    }

    #[test]
    fn without_tls_the_options_say_nothing() {
        for profile in [None, Some(&TlsPlan::default())] {
            let told = plan(&["--hub-insecure"], profile).unwrap_err();
            assert!(told.starts_with("--hub-insecure says nothing without TLS: say with --tls"), "{told}");
            assert_eq!(plan(&[], profile).unwrap(), TlsPlan::default());
        }
        let told = plan(&["--tls", "terminate", "--hub-name", "h", "--client-ca", "c"], None).unwrap_err();
        assert!(told.contains("--hub-name has no meaning with --tls terminate"), "{told}");
        assert!(told.contains("add --client-certs request"), "{told}");
        let told = plan(&["--tls", "originate", "--hub-name", "h:8883"], None).unwrap_err();
        assert!(told.starts_with("--hub-name: `h:8883` is not a host name"), "{told}");
    }

    #[test]
    fn devices_are_told_what_to_speak_and_whom_to_trust() {
        let told = |mode| {
            let plan = bare(mode);
            (scheme(plan.mode), trusted(&plan))
        };
        let ca = Some(PathBuf::from("brownout-ca/ca.pem"));
        assert_eq!(told(ModeWanted::Terminate), ("mqtts", ca.clone()));
        assert_eq!(told(ModeWanted::Reoriginate), ("mqtts", ca));
        assert_eq!(told(ModeWanted::Passthrough), ("mqtts", None));
        assert_eq!(told(ModeWanted::Originate), ("mqtt", None));
        assert!(greeting(&bare(ModeWanted::Terminate)).ends_with("devices have to trust brownout-ca/ca.pem"));
        assert_eq!(greeting(&TlsPlan::default()), "");
    }
}
