//! PEM files: certificates and keys.

use super::error::TlsError;
use super::provider;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fs;
use std::path::Path;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The certificates of a file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, Error> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| TlsError::content(path, format!("is not sound PEM: {error}")))?;
    if found.is_empty() {
        let hint = match bytes.first() {
            Some(0x30) => format!(
                "; it looks like DER: convert it with `openssl x509 -inform der -in {} -out FILE.pem`",
                path.display()
            ),
            Some(_) | None => ": it should have a block `-----BEGIN CERTIFICATE-----`".to_owned(),
        };
        return Err(TlsError::content(path, format!("holds no certificate in PEM{hint}")));
    }
    for (number, der) in (1..).zip(&found) {
        if X509Certificate::from_der(der).is_err() {
            return Err(TlsError::content(path, format!("its certificate {number} cannot be read as X.509")));
        }
    }
    Ok(found)
}

/// The key of a file: PKCS#8, PKCS#1 (RSA) or SEC1 (EC).
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = read(path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let problem = match error {
            Error::NoItemsFound if says(&bytes, "BEGIN ENCRYPTED PRIVATE KEY") => locked(path),
            Error::NoItemsFound => {
                "holds no private key in PEM: it should have a block `-----BEGIN PRIVATE KEY-----`, \
                 `-----BEGIN EC PRIVATE KEY-----` or `-----BEGIN RSA PRIVATE KEY-----`"
                    .to_owned()
            }
            _ if says(&bytes, "Proc-Type: 4,ENCRYPTED") => locked(path),
            // The library's words name places and labels, never what is in them.
            error => format!("is not sound PEM: {error}"),
        };
        TlsError::content(path, problem)
    })
}

/// A chain and its key, which have to belong together.
pub(super) fn pair(certificate: &Path, key_path: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(certificate)?;
    let key = provider().key_provider.load_private_key(key(key_path)?).map_err(|error| {
        TlsError::content(
            key_path,
            format!("its key cannot be used ({error}): give RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519"),
        )
    })?;
    // Compared here, since rustls reads no certificate of X.509 version 1, which brownout may well be given.
    let of_certificate = chain.first().and_then(|der| {
        X509Certificate::from_der(der).ok().map(|(_, read)| read.tbs_certificate.subject_pki.raw.to_vec())
    });
    let of_key = key.public_key();
    if of_key.is_some_and(|of_key| of_certificate.as_deref() != Some(of_key.as_ref())) {
        return Err(TlsError::content(
            key_path,
            format!(
                "its key is not that of the certificate in {}; the certificate of the key has to be the first there",
                certificate.display()
            ),
        ));
    }
    Ok(CertifiedKey::new(chain, key))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::file("read", path, error))
}

fn says(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

fn locked(path: &Path) -> String {
    let path = path.display();
    format!(
        "its key is encrypted with a passphrase; give one that is not: `openssl pkey -in {path} -out FILE.key`"
    )
}
