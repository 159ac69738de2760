//! What devices are shown: the given certificate, or one minted for each name that they ask for.
//!
//! ```text
//!  Ask { sni, local, alpn, flaw } ──▶ (names, alpn, flaw) ──▶ cache of 1024 configurations ──▶ Arc<ServerConfig>
//!                                                                 │ missing
//!                                       given certificate, or ────┴──── CA ──▶ mint(names, flaw)
//! ```
//!
//! All sound configurations of a listener share one key for tickets and one store of sessions, so that a device resumes
//! whichever of them it meets. A flawed one has neither: a resumed handshake would show no certificate.

use super::authority::{Authority, Named, now};
use super::cache::Cache;
use super::error::TlsError;
use super::keylog::KeyLog;
use super::names::Certificate;
use super::verify::DeviceVerifier;
use super::{pem, provider};
use crate::fault::BadCertificate;
use crate::profile::{ClientCertificates, TlsPlan};
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, ServerSessionMemoryCache,
    StoresServerSessions, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

/// How many configurations are kept: devices may ask for endless names.
pub const MOST_CONFIGS: usize = 1024;
/// How many sessions of TLS 1.2 are kept for devices that know no tickets.
const MOST_SESSIONS: usize = 4096;

/// What a configuration is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The server name that the device asks for.
    pub sni: Option<&'a str>,
    /// The address that it came to.
    pub local: IpAddr,
    /// The protocols to agree on, best first; empty: no ALPN.
    pub alpn: &'a [Vec<u8>],
    /// What shall be wrong with the certificate.
    pub flaw: Option<BadCertificate>,
}

/// TLS with the devices of one listener.
pub struct DeviceTls {
    given: Option<Given>,
    authority: Option<Authority>,
    /// Signs what shall be refused, where no CA is given.
    unknown: Authority,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    tickets: Arc<dyn ProducesTickets>,
    sessions: Arc<dyn StoresServerSessions>,
    key_log: Arc<KeyLog>,
    warnings: Vec<String>,
    configs: Cache<Wanted, Arc<ServerConfig>>,
}

struct Given {
    key: Arc<CertifiedKey>,
    names: Named,
}

/// What tells configurations apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wanted {
    /// Empty for the given certificate.
    names: Named,
    alpn: Vec<Vec<u8>>,
    flaw: Option<&'static str>,
}

impl DeviceTls {
    /// Loads the certificate and its key, or the CA; and the CAs of devices' certificates. Where both are given, the
    /// certificate is shown, and the CA signs what shall be flawed.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what it should, a key that is not the certificate's, or neither
    /// certificate nor CA.
    pub fn load(plan: &TlsPlan, key_log: &Arc<KeyLog>) -> Result<DeviceTls, TlsError> {
        let mut warnings = Vec::new();
        let given = match (&plan.certificate, &plan.key) {
            (Some(certificate), Some(key)) => Some(Given::load(certificate, key, &mut warnings)?),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(TlsError::Setting(
                    "a certificate and its key belong together: give both, --cert and --key (certificate, key)".into(),
                ));
            }
        };
        let authority =
            plan.ca.as_ref().map(|directory| Authority::open(Path::new(directory))).transpose()?;
        if given.is_none() && authority.is_none() {
            return Err(TlsError::Setting(
                "TLS with devices needs a certificate: give --cert and --key (certificate, key), or --ca DIR (ca), the \
                 directory of a local CA as `brownout ca` makes it"
                    .into(),
            ));
        }
        warnings.extend(authority.iter().flat_map(Authority::warnings).cloned());
        let tickets = rustls::crypto::ring::Ticketer::new()
            .map_err(|error| TlsError::refused("cannot make a key for session tickets", error))?;
        Ok(DeviceTls {
            given,
            authority,
            unknown: Authority::unknown()?,
            verifier: verifier(plan)?,
            tickets,
            sessions: ServerSessionMemoryCache::new(MOST_SESSIONS),
            key_log: Arc::clone(key_log),
            warnings,
            configs: Cache::new(MOST_CONFIGS),
        })
    }

    /// What to tell loudly at the start: a given certificate that is expired, not valid yet, ends within 14 days or has
    /// no names; a CA's key that others can read.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The configuration for a device that asks for this: kept, so that the next ask costs nothing. At most
    /// [`MOST_CONFIGS`] are; then the oldest goes.
    ///
    /// A minted certificate is for the server name, or without one for the address that the device came to; on
    /// loopback, for the loopback addresses too, and without a server name for `localhost`.
    ///
    /// # Errors
    /// A flaw that only the CA can make where there is none, or a name that cannot stand in a certificate.
    pub fn config(&self, ask: &Ask<'_>) -> Result<Arc<ServerConfig>, TlsError> {
        let names = match (&self.given, ask.flaw, ask.sni) {
            (Some(_), None, _) => Named::default(),
            (Some(given), Some(_), None) => given.names.clone(),
            (Some(_), Some(_), Some(_)) | (None, _, _) => names(ask.sni, ask.local),
        };
        let wanted = Wanted { names, alpn: ask.alpn.to_vec(), flaw: ask.flaw.map(BadCertificate::words) };
        self.configs.get_or_make(&wanted, || self.make(&wanted, ask.flaw))
    }

    fn make(&self, wanted: &Wanted, flaw: Option<BadCertificate>) -> Result<Arc<ServerConfig>, TlsError> {
        let key = match (&self.given, flaw) {
            (Some(given), None) => Arc::clone(&given.key),
            (Some(_) | None, flaw) => Arc::new(self.signer(flaw)?.mint(&wanted.names, flaw)?),
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::refused("cannot set up TLS", error))?;
        let builder = match &self.verifier {
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(Shown(key)));
        config.alpn_protocols.clone_from(&wanted.alpn);
        config.key_log = Arc::<KeyLog>::clone(&self.key_log);
        config.enable_secret_extraction = true;
        if flaw.is_none() {
            config.ticketer = Arc::clone(&self.tickets);
            config.session_storage = Arc::clone(&self.sessions);
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Arc::new(config))
    }

    fn signer(&self, flaw: Option<BadCertificate>) -> Result<&Authority, TlsError> {
        match (&self.authority, flaw) {
            (Some(authority), _) => Ok(authority),
            (None, Some(flaw)) if !flaw.needs_ca() => Ok(&self.unknown),
            (None, flaw) => Err(TlsError::Setting(format!(
                "a certificate that is {} has to come from the CA that devices trust, or they would refuse it for its \
                 issuer alone: give --ca DIR (ca), a directory as `brownout ca` makes it",
                flaw.map_or("sound", BadCertificate::words)
            ))),
        }
    }
}

impl fmt::Debug for DeviceTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.given.as_ref().map(|given| &given.names);
        f.debug_struct("DeviceTls")
            .field("given", &names)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

impl Given {
    fn load(certificate: &str, key: &str, warnings: &mut Vec<String>) -> Result<Given, TlsError> {
        let key = pem::pair(Path::new(certificate), Path::new(key))?;
        let mut names = Named::default();
        if let Some(read) = key.cert.first().and_then(Certificate::read) {
            let what = format!("the certificate that devices are shown, {certificate},");
            warnings.extend(read.trouble_with_time(now(), &what));
            if read.names.is_empty() {
                warnings.push(format!(
                    "{what} has no subjectAltName: clients that follow RFC 6125 refuse it, whatever its subject is"
                ));
            }
            for name in read.names {
                match name.parse() {
                    Ok(address) => names.addresses.push(address),
                    Err(_) => names.dns.push(name),
                }
            }
        }
        Ok(Given { key: Arc::new(key), names })
    }
}

/// One certificate, whatever is asked for: the configuration is chosen by what was asked for already.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn names(sni: Option<&str>, local: IpAddr) -> Named {
    let local = local.to_canonical();
    let mut names = match sni {
        Some(sni) => Named::one(&sni.to_ascii_lowercase()),
        None => Named { dns: Vec::new(), addresses: vec![local] },
    };
    if local.is_loopback() {
        if sni.is_none() {
            names.dns.push("localhost".into());
        }
        for address in [local, Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
            if !names.addresses.contains(&address) {
                names.addresses.push(address);
            }
        }
    }
    names
}

fn verifier(plan: &TlsPlan) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let mandatory = match plan.client_certificates {
        ClientCertificates::None => return Ok(None),
        ClientCertificates::Request => false,
        ClientCertificates::Require => true,
    };
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    let against = match &plan.client_ca {
        None => None,
        Some(path) => {
            let roots = Arc::new(roots(Path::new(path))?);
            let webpki = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            Some(webpki.map_err(|error| TlsError::content(Path::new(path), error.to_string()))?)
        }
    };
    Ok(Some(Arc::new(DeviceVerifier { against, mandatory, algorithms })))
}

/// The CAs of a PEM file.
pub(super) fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let certificates: Vec<CertificateDer<'static>> = pem::certificates(path)?;
    for (number, certificate) in (1..).zip(certificates) {
        roots.add(certificate).map_err(|error| {
            TlsError::content(path, format!("its certificate {number} cannot be trusted as a CA: {error}"))
        })?;
    }
    Ok(roots)
}
