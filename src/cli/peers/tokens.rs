//! What the arguments say of a device's SAS tokens.

use crate::azure::token;
use crate::base::Secret;
use crate::base::span::show_fixed;
use crate::cli::args::DeviceArgs;
use crate::cli::exit::Refusal;
use crate::device::{Renew, Sas};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the SDKs of Azure start from.
const LIFETIME: Duration = Duration::from_secs(3600);

/// An expiry is in whole seconds: below one, a token could have expired when it is made.
const SHORTEST: Duration = Duration::from_secs(1);

/// The wall clock, since 1970-01-01 UTC.
pub(super) fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The tokens of devices that connect to this address; `None` where they make none.
pub(super) fn sas(args: &DeviceArgs, address: &str) -> Result<Option<Sas>, Refusal> {
    let Some(key) = &args.azure_key else { return Ok(None) };
    let key = token::key(key).map_err(|problem| Refusal::usage(format!("--azure-key: {problem}")))?;
    let lifetime = args.token_lifetime.unwrap_or(LIFETIME);
    let renew = args.renew_before.unwrap_or_default();
    if lifetime < SHORTEST {
        return Err(Refusal::usage(format!(
            "--token-lifetime is {} at least, since a token expires at a whole second",
            show_fixed(SHORTEST)
        )));
    }
    if matches!(renew, Renew::Before(margin) if margin.is_zero() || margin >= lifetime) {
        return Err(Refusal::usage(format!(
            "--renew-before {renew} does not lie within the life of a token ({}); give less, or `never`",
            show_fixed(lifetime)
        )));
    }
    if args.stale && renew != Renew::Never {
        return Err(Refusal::usage(
            "--stale is of devices that let their token expire; give --renew-before never, too",
        ));
    }
    let named = args.azure_hub.clone().or_else(|| args.server_name.clone());
    let hub = named.unwrap_or_else(|| host(address).to_owned());
    Ok(Some(Sas {
        hub,
        key: Secret(key),
        lifetime,
        renew,
        stale_first: args.stale,
        unix_at_start: unix_now(),
    }))
}

/// The host of `host:port`.
fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Args, Command};
    use clap::Parser;

    fn told(options: &[&str]) -> Result<Option<Sas>, String> {
        let all = ["brownout", "device"].iter().chain(options);
        let args = Args::try_parse_from(all).map_err(|error| error.to_string())?;
        let Command::Device(args) = args.command else { return Err("another command".into()) };
        sas(&args, "lab.azure-devices.net:8883").map_err(|refusal| refusal.message)
    }

    #[test]
    fn the_hub_is_named_by_its_option_or_by_the_connect() {
        assert_eq!(told(&[]).unwrap(), None);
        let sas = told(&["--azure-key", "c2VjcmV0"]).unwrap().unwrap();
        assert_eq!(sas.hub, "lab.azure-devices.net");
        assert_eq!((sas.lifetime, sas.renew, sas.stale_first), (LIFETIME, Renew::Share(0.2), false));
        let sas = told(&["--azure-key", "c2VjcmV0", "--azure-hub", "h"]).unwrap().unwrap();
        assert_eq!(sas.hub, "h");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let key = ["--azure-key", "c2VjcmV0"];
        for (options, problem) in [
            (vec!["--token-lifetime", "999ms"], "1s at least"),
            (vec!["--token-lifetime", "10s", "--renew-before", "10s"], "within the life"),
            (vec!["--renew-before", "0s"], "within the life"),
            (vec!["--renew-before", "20%", "--stale"], "--renew-before never"),
            (vec!["--stale"], "--renew-before"),
            (vec!["--username", "u"], "cannot be used with"),
        ] {
            let all: Vec<&str> = key.iter().copied().chain(options.iter().copied()).collect();
            let told = told(&all).unwrap_err();
            assert!(told.contains(problem), "{options:?}: {told}");
        }
        let told = told(&["--azure-key", "no key"]).unwrap_err();
        assert!(told.starts_with("--azure-key: the key is not Base64"), "{told}");
    }
}
