//! `--transparent` on the command line: the one listener that connects are led to, and how that is told.

use super::args::TlsArgs;
use super::exit::Refusal;
use super::tls;
use crate::net::transparent::{ANYWHERE, PORT};
use crate::profile::{self, ListenerPlan};

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
