//! How the hub is verified, what it is asked for, and what it is shown.
//!
//! Sessions are kept for each identity apart: one of a device's own certificate must not be resumed for another's.

use super::authority::now;
use super::cache::Cache;
use super::error::TlsError;
use super::keylog::KeyLog;
use super::names::Certificate;
use super::server::roots;
use super::verify::HubVerifier;
use super::{pem, provider};
use crate::base::text::{glob, printable};
use crate::profile::TlsPlan;
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use rustls_native_certs::CertificateResult;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many configurations, and how many devices' certificates, are kept.
const MOST: usize = 1024;
/// How many hubs' sessions each identity keeps.
const MOST_SESSIONS: usize = 256;

/// TLS with the hub or hubs of one listener.
pub struct HubTls {
    host: String,
    /// What `hub_name` says.
    name: Option<ServerName<'static>>,
    /// The server names that lead elsewhere.
    routes: Vec<String>,
    verifier: Arc<HubVerifier>,
    own: Identity,
    directory: Option<PathBuf>,
    key_log: Arc<KeyLog>,
    warnings: Vec<String>,
    identities: Cache<String, Identity>,
    configs: Cache<Wanted, Arc<ClientConfig>>,
}

/// What tells configurations apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wanted {
    /// The device whose certificate is shown, where each has its own.
    device: Option<String>,
    alpn: Vec<Vec<u8>>,
}

/// Whom brownout is for the hub, and the sessions of that one.
#[derive(Clone)]
struct Identity {
    shown: Arc<dyn ResolvesClientCert>,
    sessions: Resumption,
}

impl HubTls {
    /// Loads what the hub is verified against, and what it is shown. `upstream_host` is the host of the listener's
    /// `upstream`; an IPv6 address may stand in brackets.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what it should, a key that is not the certificate's, a name that
    /// cannot be one, or no CA at all that the system trusts.
    pub fn load(plan: &TlsPlan, upstream_host: &str, key_log: &Arc<KeyLog>) -> Result<HubTls, TlsError> {
        let mut warnings = Vec::new();
        let shown = match (&plan.hub_certificate, &plan.hub_key) {
            (Some(certificate), Some(key)) => {
                let pair = pem::pair(Path::new(certificate), Path::new(key))?;
                let read = pair.cert.first().and_then(Certificate::read);
                let what = format!("the certificate that the hub is shown, {certificate},");
                warnings.extend(read.and_then(|read| read.trouble_with_time(now(), &what)));
                Some(pair)
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(TlsError::Setting(
                    "the certificate that the hub is shown and its key belong together: give both, --hub-cert and --hub-key \
                     (hub_certificate, hub_key)"
                        .into(),
                ));
            }
        };
        let directory = plan.hub_certificates.as_ref().map(PathBuf::from);
        if let Some(directory) = directory.as_ref().filter(|directory| !directory.is_dir()) {
            let error = std::io::ErrorKind::NotADirectory.into();
            return Err(TlsError::file("read certificates from", directory, error));
        }
        Ok(HubTls {
            host: upstream_host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            name: plan.hub_name.as_deref().map(server_name).transpose()?,
            routes: plan.routes.iter().map(|route| route.sni.clone()).collect(),
            verifier: Arc::new(verifier(plan)?),
            own: Identity::new(shown),
            directory,
            key_log: Arc::clone(key_log),
            warnings,
            identities: Cache::new(MOST),
            configs: Cache::new(MOST),
        })
    }

    /// What to tell loudly at the start: a given certificate that is expired, not valid yet, or ends within 14 days.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The configuration for a link: `alpn` is what to offer (empty: no ALPN), `device_cn` the common name of the
    /// certificate that the device presented.
    ///
    /// With a directory of certificates, the hub is shown `CN.pem` by the key `CN.key`. A device without a common name is
    /// shown as what `hub_certificate` says, and without that as nobody.
    ///
    /// # Errors
    /// A common name that is no file name, or its files are missing or unsound; the next ask looks again.
    pub fn config(&self, alpn: &[Vec<u8>], device_cn: Option<&str>) -> Result<Arc<ClientConfig>, TlsError> {
        let by_device = self.directory.as_ref().zip(device_cn);
        let wanted = Wanted { device: by_device.map(|(_, name)| name.to_owned()), alpn: alpn.to_vec() };
        self.configs.get_or_make(&wanted, || {
            let identity = match by_device {
                None => self.own.clone(),
                Some((directory, name)) => self
                    .identities
                    .get_or_make(&name.to_owned(), || Ok(Identity::new(Some(of_device(directory, name)?))))?,
            };
            self.make(alpn, identity)
        })
    }

    /// The name that the hub is asked for, and that its certificate has to be for: what `hub_name` says; else, where a
    /// route leads by the device's server name, that name; else the host of `upstream`.
    ///
    /// Without a route, the device's server name says how brownout is reached (`localhost`, a name of the bench), and
    /// the hub has no certificate for it.
    ///
    /// # Errors
    /// A host that is neither a DNS name nor an address.
    pub fn name(&self, sni: Option<&str>) -> Result<ServerName<'static>, TlsError> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let routed = sni.filter(|sni| self.routes.iter().any(|route| glob(route, sni)));
        server_name(routed.unwrap_or(&self.host))
    }

    /// The same where the device was on its way to a hub of its own (`--transparent`): what `hub_name` says; else the name
    /// that the device asks for, which is the hub's; else the address that it dialled.
    ///
    /// # Errors
    /// A server name that is none.
    pub fn name_at(&self, sni: Option<&str>, dialled: IpAddr) -> Result<ServerName<'static>, TlsError> {
        match (&self.name, sni) {
            (Some(name), _) => Ok(name.clone()),
            (None, Some(sni)) => server_name(sni),
            (None, None) => Ok(ServerName::from(dialled)),
        }
    }

    fn make(&self, alpn: &[Vec<u8>], identity: Identity) -> Result<Arc<ClientConfig>, TlsError> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::refused("cannot set up TLS", error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<HubVerifier>::clone(&self.verifier))
            .with_client_cert_resolver(identity.shown);
        config.resumption = identity.sessions;
        config.alpn_protocols = alpn.to_vec();
        config.key_log = Arc::<KeyLog>::clone(&self.key_log);
        config.enable_secret_extraction = true;
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for HubTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubTls")
            .field("host", &self.host)
            .field("name", &self.name)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl Identity {
    fn new(key: Option<CertifiedKey>) -> Identity {
        Identity {
            shown: Arc::new(Shown(key.map(Arc::new))),
            sessions: Resumption::in_memory_sessions(MOST_SESSIONS),
        }
    }
}

/// One certificate, or none, whatever the hub asks for.
#[derive(Debug)]
struct Shown(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        // The issuers that the hub names are a hint; a device would show the one certificate that it has.
        self.0.as_ref().filter(|key| key.key.choose_scheme(schemes).is_some()).map(Arc::clone)
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

fn of_device(directory: &Path, name: &str) -> Result<CertifiedKey, TlsError> {
    if name.is_empty() || name.contains(['/', '\0']) || matches!(name, "." | "..") {
        return Err(TlsError::Setting(format!(
            "the device's common name `{}` cannot name a file in {}: no certificate is shown to the hub for it",
            printable(name),
            directory.display()
        )));
    }
    pem::pair(&directory.join(format!("{name}.pem")), &directory.join(format!("{name}.key")))
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        TlsError::Setting(format!(
            "`{}` is neither a DNS name nor an address: TLS with the hub needs one to verify its certificate by; give it \
             with --hub-name NAME (hub_name)",
            printable(name)
        ))
    })
}

fn verifier(plan: &TlsPlan) -> Result<HubVerifier, TlsError> {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    if plan.hub_unverified {
        return Ok(HubVerifier { against: None, known: Vec::new(), algorithms });
    }
    let (roots, known) = match plan.hub_ca.as_deref().map(Path::new) {
        Some(path) => (roots(path)?, pem::certificates(path)?),
        None => (of_system(rustls_native_certs::load_native_certs())?, Vec::new()),
    };
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| TlsError::refused("cannot verify hubs", error))?;
    Ok(HubVerifier { against: Some(webpki), known, algorithms })
}

fn of_system(found: CertificateResult) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    // A store may hold old certificates that cannot be read; the others count all the same.
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let why = found.errors.first().map_or(String::new(), |error| format!(" ({error})"));
    Err(TlsError::Setting(format!(
        "this system trusts no CA{why}, so no hub's certificate can be verified: install its CA certificates (Debian's \
         package `ca-certificates`), name the hub's CA with --hub-ca FILE (hub_ca), or skip the check with --hub-insecure \
         (hub_verify: false)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_that_trusts_nobody_is_told_with_the_ways_out() {
        let error = of_system(CertificateResult::default()).unwrap_err().to_string();
        assert!(error.starts_with("this system trusts no CA, so"), "{error}");
        assert!(error.contains("--hub-ca") && error.contains("--hub-insecure"), "{error}");
        let mut found = CertificateResult::default();
        found.certs = vec![vec![0].into(), rcgen::generate_simple_self_signed(vec![]).unwrap().cert.into()];
        assert_eq!(of_system(found).unwrap().len(), 1, "what cannot be read is passed over");
    }
}
