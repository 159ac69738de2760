//! What the arguments and the environment say of the peers' TLS.

use crate::cli::args::{DeviceArgs, HubArgs};
use crate::cli::exit::Refusal;
use crate::cli::out;
use crate::device::{DeviceTls, Target, TlsSettings, Trust};
use crate::hub::tls::{self, Devices};
use std::path::PathBuf;
use tokio_rustls::TlsAcceptor;

/// The hub's; `None`: plain.
pub(super) fn acceptor(args: &HubArgs) -> Result<Option<TlsAcceptor>, Refusal> {
    let (Some(cert), Some(key)) = (&args.cert, &args.key) else { return Ok(None) };
    let devices = match &args.client_ca {
        None => Devices::Anonymous,
        Some(path) if args.azure => Devices::MayPresent(path),
        Some(path) => Devices::MustPresent(path),
    };
    let tls = tls::load(cert, key, devices).map_err(|error| Refusal::usage(error.to_string()))?;
    for warning in &tls.warnings {
        out::tell(format_args!("brownout: {warning}"));
    }
    Ok(Some(tls.acceptor))
}

/// Where devices connect, and how.
pub(super) fn target(args: &DeviceArgs, address: String) -> Result<Target, Refusal> {
    let by_url = args.connect.is_none()
        && std::env::var("BROWNOUT_URL").is_ok_and(|url| url.to_ascii_lowercase().starts_with("mqtts://"));
    if !args.tls && !by_url {
        return match said_of_tls(args) {
            Some(option) => Err(Refusal::usage(format!("{option} is of TLS: give --tls, too"))),
            None => Ok(Target::from(address)),
        };
    }
    let settings = TlsSettings {
        trust: trust(args),
        server_name: args.server_name.clone(),
        identity: args.cert.clone().zip(args.key.clone()),
    };
    let tls = DeviceTls::load(&settings, &address).map_err(|error| Refusal::usage(error.to_string()))?;
    Ok(Target { address, tls: Some(tls) })
}

fn trust(args: &DeviceArgs) -> Trust {
    if args.insecure {
        return Trust::Anyone;
    }
    let given = std::env::var_os("BROWNOUT_CA").filter(|path| !path.is_empty()).map(PathBuf::from);
    args.ca.clone().or(given).map_or(Trust::System, Trust::File)
}

/// The first option that means nothing without TLS.
fn said_of_tls(args: &DeviceArgs) -> Option<&'static str> {
    let options = [
        (args.ca.is_some(), "--ca"),
        (args.server_name.is_some(), "--server-name"),
        (args.cert.is_some(), "--cert"),
        (args.insecure, "--insecure"),
    ];
    options.into_iter().find_map(|(given, option)| given.then_some(option))
}
