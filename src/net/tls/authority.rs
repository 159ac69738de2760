//! The local CA: a directory with its certificate and key, from which certificates are minted for any name.

use super::error::TlsError;
use super::names::Certificate;
use super::{pem, provider};
use crate::fault::BadCertificate;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use time::{Duration, OffsetDateTime};

/// The file of the CA's certificate in its directory.
pub const CERTIFICATE: &str = "ca.pem";
/// The file of its key.
pub const KEY: &str = "ca.key";

/// How long a CA is valid: ten years, as long as a test bench may stand, since devices have to be given each new one.
const LIFE: Duration = Duration::days(3650);
/// How long a certificate is: what strict clients take at most (CA/Browser Forum, Baseline Requirements 6.3.2, until 2026).
const LEAF_LIFE: Duration = Duration::days(397);
/// How much a device's clock may be behind.
const SKEW: Duration = Duration::hours(1);
/// The name of a certificate that is for nobody: `.invalid` never resolves (RFC 6761 section 6.4).
const WRONG_NAME: &str = "wrong.brownout.invalid";
/// The name of a CA that nobody knows.
const UNKNOWN: &str = "brownout unknown CA";
/// The longest common name (RFC 5280, ub-common-name).
const LONGEST_COMMON_NAME: usize = 64;
/// The longest host name that fits into the CA's, beside the other words.
const LONGEST_HOST: usize = 34;

/// Whom a certificate is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// DNS names, best first.
    pub dns: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
}

impl Named {
    /// For one DNS name, or for one address where it is one.
    pub fn one(name: &str) -> Named {
        match name.parse() {
            Ok(address) => Named { dns: Vec::new(), addresses: vec![address] },
            Err(_) => Named { dns: vec![name.to_owned()], addresses: Vec::new() },
        }
    }

    fn common_name(&self) -> String {
        let first = self.dns.first().cloned().or_else(|| self.addresses.first().map(ToString::to_string));
        first.filter(|name| name.len() <= LONGEST_COMMON_NAME).unwrap_or_else(|| "brownout".to_owned())
    }
}

/// A CA that signs what it is asked to. Its key is in memory and in its directory, and nowhere else.
pub struct Authority {
    signer: Signer,
    directory: Option<PathBuf>,
    not_after: OffsetDateTime,
    warnings: Vec<String>,
    stranger: OnceLock<Signer>,
}

/// A CA's certificate, and the means to sign with its key.
struct Signer {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    /// Makes a CA: `ca.pem` for everyone to read, `ca.key` for its owner alone from its first byte on. The directory is
    /// made if need be. ECDSA P-256, valid for ten years, for signing certificates of servers and no further CA.
    ///
    /// # Errors
    /// A CA is there already (it is left as it is), or a file cannot be written.
    pub fn create(directory: &Path) -> Result<Authority, TlsError> {
        let (certificate_path, key_path) = (directory.join(CERTIFICATE), directory.join(KEY));
        if let Some(path) = [&certificate_path, &key_path].into_iter().find(|path| path.exists()) {
            return Err(TlsError::AuthorityExists { path: path.clone() });
        }
        fs::create_dir_all(directory).map_err(|error| TlsError::file("make", directory, error))?;
        let made = Made::new(&format!("brownout local CA ({})", bench()?))?;
        write_new(&key_path, 0o600, &made.key_pem)?;
        write_new(&certificate_path, 0o644, &made.certificate_pem)?;
        Ok(Authority::of(made.signer, Some(directory.to_owned()), made.not_after, Vec::new()))
    }

    /// Opens the CA of a directory.
    ///
    /// # Errors
    /// There is none ([`TlsError::NoAuthority`]), a file cannot be read, or the two do not belong together.
    pub fn open(directory: &Path) -> Result<Authority, TlsError> {
        let (certificate_path, key_path) = (directory.join(CERTIFICATE), directory.join(KEY));
        if !certificate_path.exists() && !key_path.exists() {
            return Err(TlsError::NoAuthority { path: directory.to_owned() });
        }
        let pair = pem::pair(&certificate_path, &key_path)?;
        let wrong = |problem: &str| TlsError::content(&certificate_path, problem);
        let certificate = pair.cert.into_iter().next().ok_or_else(|| wrong("holds no certificate"))?;
        let read = Certificate::read(&certificate).ok_or_else(|| wrong("cannot be read as X.509"))?;
        if !read.is_ca {
            return Err(wrong("is not the certificate of a CA (basicConstraints CA:TRUE)"));
        }
        let key = KeyPair::try_from(&pem::key(&key_path)?)
            .map_err(|error| TlsError::content(&key_path, format!("its key cannot sign: {error}")))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| wrong(&format!("cannot be used to sign by: {error}")))?;
        let not_after = OffsetDateTime::from_unix_timestamp(read.not_after)
            .map_err(|_| wrong("ends at a time that no clock has"))?;
        let warnings =
            [too_open(&key_path), read.trouble_with_time(now(), &certificate_path.display().to_string())];
        let signer = Signer { issuer, certificate };
        let warnings = warnings.into_iter().flatten().collect();
        Ok(Authority::of(signer, Some(directory.to_owned()), not_after, warnings))
    }

    /// A CA in memory, which nobody trusts: for certificates that shall be refused.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(super) fn unknown() -> Result<Authority, TlsError> {
        let made = Made::new(UNKNOWN)?;
        Ok(Authority::of(made.signer, None, made.not_after, Vec::new()))
    }

    fn of(
        signer: Signer,
        directory: Option<PathBuf>,
        not_after: OffsetDateTime,
        warnings: Vec<String>,
    ) -> Authority {
        Authority { signer, directory, not_after, warnings, stranger: OnceLock::new() }
    }

    /// Its certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.signer.certificate
    }

    /// Until when it is valid, in seconds since 1970.
    pub fn not_after(&self) -> i64 {
        self.not_after.unix_timestamp()
    }

    /// What is wrong with it, without keeping it from signing: a key that others can read, a time that is over.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A certificate for these names with a new P-256 key: valid from an hour ago for 397 days at most, for servers
    /// (extended key usage serverAuth). The chain holds the CA's certificate too, so that a device can be told of it.
    ///
    /// A flaw changes one thing alone. A CA that nobody knows has a name of its own: with the name of the true one,
    /// some clients would speak of a bad signature rather than of an unknown CA.
    ///
    /// # Errors
    /// A name that cannot stand in a certificate, or a system without random numbers.
    pub fn mint(&self, name: &Named, flaw: Option<BadCertificate>) -> Result<CertifiedKey, TlsError> {
        let refused = |error: rcgen::Error| TlsError::refused("cannot make a certificate", error);
        let key = KeyPair::generate().map_err(refused)?;
        let parameters = self.parameters(name, flaw)?;
        let (leaf, issuer) = match flaw {
            None
            | Some(BadCertificate::Expired | BadCertificate::NotYetValid | BadCertificate::WrongName) => {
                (parameters.signed_by(&key, &self.signer.issuer), Some(&self.signer.certificate))
            }
            Some(BadCertificate::UntrustedCa) => {
                let stranger = self.stranger()?;
                (parameters.signed_by(&key, &stranger.issuer), Some(&stranger.certificate))
            }
            Some(BadCertificate::SelfSigned) => (parameters.self_signed(&key), None),
        };
        let chain = [leaf.map_err(refused)?.into()].into_iter().chain(issuer.cloned()).collect();
        let key = provider()
            .key_provider
            .load_private_key(PrivateKeyDer::from(key))
            .map_err(|error| TlsError::refused("cannot use a key just made", error))?;
        Ok(CertifiedKey::new(chain, key))
    }

    fn parameters(&self, name: &Named, flaw: Option<BadCertificate>) -> Result<CertificateParams, TlsError> {
        let now = now();
        let (from, until) = match flaw {
            Some(BadCertificate::Expired) => (now - Duration::days(30), now - Duration::DAY),
            Some(BadCertificate::NotYetValid) => (now + Duration::DAY, now + Duration::days(30)),
            None
            | Some(BadCertificate::WrongName | BadCertificate::UntrustedCa | BadCertificate::SelfSigned) => {
                (now - SKEW, (now + LEAF_LIFE).min(self.not_after))
            }
        };
        let wrong = Named::one(WRONG_NAME);
        let name = if flaw == Some(BadCertificate::WrongName) { &wrong } else { name };
        let mut names = Vec::new();
        for dns in &name.dns {
            let text = dns.as_str().try_into().map_err(|_| {
                TlsError::Setting(format!(
                    "`{}` cannot stand in a certificate as a DNS name",
                    crate::base::text::printable(dns)
                ))
            })?;
            names.push(SanType::DnsName(text));
        }
        names.extend(name.addresses.iter().copied().map(SanType::IpAddress));
        let mut parameters = CertificateParams::default();
        parameters.not_before = from;
        parameters.not_after = until;
        parameters.subject_alt_names = names;
        parameters.distinguished_name = named(&name.common_name());
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        Ok(parameters)
    }

    fn stranger(&self) -> Result<&Signer, TlsError> {
        if let Some(stranger) = self.stranger.get() {
            return Ok(stranger);
        }
        let stranger = Made::new(UNKNOWN)?.signer;
        Ok(self.stranger.get_or_init(|| stranger))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// A CA just made.
struct Made {
    signer: Signer,
    certificate_pem: String,
    key_pem: String,
    not_after: OffsetDateTime,
}

impl Made {
    fn new(name: &str) -> Result<Made, TlsError> {
        let refused = |error: rcgen::Error| TlsError::refused("cannot make a CA", error);
        let key = KeyPair::generate().map_err(refused)?;
        let now = now();
        let mut parameters = CertificateParams::default();
        parameters.not_before = now - SKEW;
        parameters.not_after = now + LIFE;
        parameters.distinguished_name = named(name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = parameters.self_signed(&key).map_err(refused)?;
        Ok(Made {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            not_after: parameters.not_after,
            signer: Signer { issuer: Issuer::new(parameters, key), certificate: certificate.into() },
        })
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Now, by the system's clock, in whole seconds.
pub(super) fn now() -> OffsetDateTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// What tells this CA from all others: the host's name, for people, and a random number. Two CAs of one name would be
/// taken for each other, and then "bad signature" be said where "unknown CA" is meant.
fn bench() -> Result<String, TlsError> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    let name = if name.len() <= LONGEST_HOST && is_plain { name } else { "" };
    let mut random = [0; 4];
    provider()
        .secure_random
        .fill(&mut random)
        .map_err(|_| TlsError::refused("cannot make a CA", "the system gives no random numbers"))?;
    Ok(format!("{name} {:08x}", u32::from_be_bytes(random)).trim_start().to_owned())
}

fn write_new(path: &Path, mode: u32, text: &str) -> Result<(), TlsError> {
    let told = |error| TlsError::file("write", path, error);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(told)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(told)
}

/// A warning, where others than its owner may read a key.
fn too_open(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        let path = path.display();
        format!(
            "the CA's key {path} can be read by others (mode {mode:04o}): whoever has it can pose as any server to the \
             devices that trust this CA; run `chmod 600 {path}`"
        )
    })
}
