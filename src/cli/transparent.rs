//! `--transparent` on the command line: the one listener that connects are led to, and how that is told.

use super::args::TlsArgs;
use super::exit::Refusal;
use super::tls;
use crate::net::transparent::{ANYWHERE, PORT};
use crate::profile::{self, ListenerPlan};
use std::net::SocketAddr;

/// The listener: what TLS does there is what the options say, and else the profile's only listener, whose addresses the
/// option takes the place of.
pub(super) fn listener(
    listen: Option<&str>,
    args: &TlsArgs,
    of_profile: &[ListenerPlan],
) -> Result<ListenerPlan, Refusal> {
    if let Some(listen) = listen {
        profile::check_listen(listen).map_err(|error| Refusal::usage(format!("--listen: {error}")))?;
    }
    let is_loopback =
        |listen: &str| listen.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback());
    if let Some(listen) = listen.filter(|listen| is_loopback(listen)) {
        return Err(Refusal::usage(format!(
            "--listen {listen}: no device is led to a loopback address; with --transparent, give [::]:PORT, or an address \
             of the interface that the devices are behind"
        )));
    }
    let only = match of_profile {
        [] => None,
        [only] => Some(only),
        several => {
            return Err(Refusal::usage(format!(
                "the profile has {} listeners, and --transparent is one, which leads wherever devices are going; take \
                 `listeners` out of the profile, and say by address whom its rules are for (`who: {{ address: ... }}`)",
                several.len()
            )));
        }
    };
    let tls = tls::of_listener(args, only.map(|only| &only.tls))?;
    if !tls.routes.is_empty() {
        return Err(Refusal::usage(
            "the profile's listener has `routes`, and with --transparent each link leads where its device was going; take \
             one of them away",
        ));
    }
    Ok(ListenerPlan {
        name: only.map_or_else(|| "main".into(), |only| only.name.clone()),
        listen: listen.map_or_else(|| format!("[::]:{PORT}"), str::to_owned),
        upstream: ANYWHERE.into(),
        tls,
    })
}

/// How it is told where devices come in.
pub(super) fn greeting(address: impl std::fmt::Display) -> String {
    format!("connects that are led to {address} (`brownout lab up`) go on to the hub that the device dialled")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Route, TlsPlan};
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        tls: TlsArgs,
    }

    fn asked(
        listen: Option<&str>,
        tls: &[&str],
        of_profile: &[ListenerPlan],
    ) -> Result<ListenerPlan, String> {
        let line = Line::parse_from(["run"].iter().chain(tls));
        listener(listen, &line.tls, of_profile).map_err(|refusal| refusal.message)
    }

    fn of_profile(routes: Vec<Route>) -> ListenerPlan {
        ListenerPlan {
            name: "lab".into(),
            listen: "10.0.0.1:1883".into(),
            upstream: "hub:1883".into(),
            tls: TlsPlan { routes, ..TlsPlan::default() },
        }
    }

    #[test]
    fn it_listens_on_all_addresses_unless_told() {
        let listener = asked(None, &[], &[]).unwrap();
        assert_eq!((listener.listen.as_str(), listener.name.as_str()), ("[::]:18830", "main"));
        assert_eq!(asked(Some("10.0.0.1:5"), &[], &[]).unwrap().listen, "10.0.0.1:5");
    }

    #[test]
    fn it_takes_the_place_of_the_profiles_only_listener() {
        let listener = asked(None, &[], &[of_profile(Vec::new())]).unwrap();
        assert_eq!((listener.listen.as_str(), listener.name.as_str()), ("[::]:18830", "lab"));
        assert_eq!(listener.upstream, ANYWHERE);
    }

    #[test]
    fn what_cannot_be_together() {
        let several = [of_profile(Vec::new()), of_profile(Vec::new())];
        let routes = vec![Route { sni: "a".into(), upstream: "a:1".into() }];
        for (refused, words) in [
            (asked(None, &[], &several), "2 listeners"),
            (asked(None, &[], &[of_profile(routes)]), "`routes`"),
            (asked(Some("127.0.0.1:5"), &[], &[]), "loopback"),
            (asked(Some("[::1]:5"), &[], &[]), "loopback"),
            (asked(Some("5"), &[], &[]), "--listen"),
            (asked(None, &["--hub-name", "hub"], &[]), "--tls"),
        ] {
            let refused = refused.unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
