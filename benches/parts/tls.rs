//! TLS 1.3 by the provider that brownout takes: a record in and out of two sessions in memory, and a full handshake.

use crate::Part;
use brownout::net::tls::provider;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::Arc;

pub const PARTS: &[Part] = &[
    Part {
        name: "tls-1k",
        unit: "record of 1 KiB sealed and opened",
        work: records,
        floor: ("AES-256-GCM alone", sealed),
        round: 50_000,
    },
    Part {
        name: "tls-handshake",
        unit: "full handshake of TLS 1.3, P-256, both ends",
        work: handshakes,
        floor: ("a P-256 signature, made and verified", signatures),
        round: 300,
    },
];

const RECORD: usize = 1024;

fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = own.cert.der().clone();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let versions = &[&rustls::version::TLS13];
    let server = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
    let mut server = server.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    server.send_tls13_tickets = 0;
    let client = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    (Arc::new(client), Arc::new(server))
}

fn shaken((client, server): &(Arc<ClientConfig>, Arc<ServerConfig>)) -> (ClientConnection, ServerConnection) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    let mut wire = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        server.process_new_packets().unwrap();
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        let mut unread = &wire[..];
        while !unread.is_empty() {
            client.read_tls(&mut unread).unwrap();
            client.process_new_packets().unwrap();
        }
        wire.clear();
    }
    (client, server)
}

fn handshakes(count: u32) {
    let configs = configs();
    for _ in 0..count {
        black_box(shaken(&configs));
    }
}

fn records(count: u32) {
    let (mut client, mut server) = shaken(&configs());
    let (message, mut wire, mut heard) = ([7; RECORD], Vec::new(), [0; RECORD]);
    for _ in 0..count {
        client.writer().write_all(black_box(&message)).unwrap();
        wire.clear();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        server.process_new_packets().unwrap();
        server.reader().read_exact(&mut heard).unwrap();
    }
    assert_eq!(heard, message);
}

fn sealed(count: u32) {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[1; 32]).unwrap());
    let mut bytes = vec![7; RECORD];
    for n in 0..count {
        let nonce = || {
            let mut nonce = [0; 12];
            nonce[..4].copy_from_slice(&n.to_be_bytes());
            Nonce::assume_unique_for_key(nonce)
        };
        key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut bytes).unwrap();
        key.open_in_place(nonce(), Aad::empty(), black_box(&mut bytes)).unwrap();
        bytes.truncate(RECORD);
    }
}

fn signatures(count: u32) {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random).unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key().as_ref().to_vec());
    for n in 0..count {
        let message = n.to_be_bytes();
        let signature = key.sign(&random, &message).unwrap();
        public.verify(&message, signature.as_ref()).unwrap();
    }
}
