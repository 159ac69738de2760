//! `brownout ca`: makes a local CA, and tells how devices come to trust it.

use super::args::CaArgs;
use super::exit::{Exit, Refusal};
use super::out;
use crate::net::tls::authority::{CERTIFICATE, KEY};
use crate::net::tls::names::{Certificate, moment};
use crate::net::tls::{Authority, TlsError};
use anstyle::Style;
use std::fmt::Write;
use std::path::Path;

/// Makes the CA where there is none, and tells how to use it.
pub(super) fn ca(args: &CaArgs) -> Exit {
    match made_or_opened(&args.directory) {
        Ok((authority, is_new)) => {
            for warning in authority.warnings() {
                out::tell(format_args!("brownout: {warning}"));
            }
            out::show(tell(&authority, is_new, &args.directory));
            Exit::Met
        }
        Err(refusal) => refusal.tell(),
    }
}

fn made_or_opened(directory: &Path) -> Result<(Authority, bool), Refusal> {
    match Authority::open(directory) {
        Ok(authority) => Ok((authority, false)),
        Err(TlsError::NoAuthority { .. }) => {
            let made = Authority::create(directory).map_err(|error| {
                Refusal::environment(format!("{error}; give another directory: `brownout ca DIR`"))
            })?;
            Ok((made, true))
        }
        Err(error) => Err(Refusal::environment(format!(
            "there is something of a CA in {}, but it cannot be used: {error}; take it away, or give another directory",
            directory.display()
        ))),
    }
}

fn tell(authority: &Authority, is_new: bool, directory: &Path) -> String {
    // Instructions are copied into shells elsewhere: whole paths.
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let (certificate, key) = (directory.join(CERTIFICATE), directory.join(KEY));
    let subject = Certificate::read(authority.certificate()).map_or(String::new(), |read| read.subject);
    let mut text = String::new();
    let made = if is_new { "A local CA was made" } else { "The local CA is there" };
    let until = moment(authority.not_after());
    let _ = writeln!(text, "{made}: {subject}, valid until {until}.");
    let _ = writeln!(text, "  {}  its certificate: give it to devices", certificate.display());
    let _ = writeln!(
        text,
        "  {}  its key: whoever has it can pose as any server to them; keep it here",
        key.display()
    );
    let _ = writeln!(text);
    let _ = writeln!(text, "Devices under test have to trust it. Trust it nowhere else.");
    let (bare, path, folder) = (certificate.display().to_string(), quoted(&certificate), quoted(&directory));
    for (title, lines) in instructions() {
        let heading = Style::new().bold();
        let _ = writeln!(text, "\n{heading}{title}{heading:#}");
        for line in lines {
            // In a program's own quotes it stands as it is.
            let line =
                line.replace("\"CA_PEM\"", &format!("{bare:?}")).replace("'CA_PEM'", &format!("'{bare}'"));
            let line = line.replace("CA_PEM", &path).replace("CA_DIR", &folder);
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// What to do, by client. `CA_PEM` stands for the path of the certificate, `CA_DIR` for its directory, each quoted for a
/// shell where it has to be.
fn instructions() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        (
            "A run with it",
            vec![
                "brownout run keepalive-blackhole --tls reoriginate --ca CA_DIR --listen 127.0.0.1:8883 --upstream HUB:8883",
            ],
        ),
        (
            "A look at what brownout shows",
            vec![
                "openssl s_client -connect 127.0.0.1:8883 -servername localhost -CAfile CA_PEM -verify_return_error",
            ],
        ),
        ("mosquitto", vec!["mosquitto_sub -h localhost -p 8883 --cafile CA_PEM -t '#' -v"]),
        ("MQTTX CLI", vec!["mqttx sub -h localhost -p 8883 -l mqtts --ca CA_PEM -t '#'"]),
        ("Python, paho-mqtt", vec!["client.tls_set(ca_certs=\"CA_PEM\")"]),
        (
            "JavaScript, MQTT.js",
            vec!["mqtt.connect('mqtts://localhost:8883', { ca: fs.readFileSync('CA_PEM') })"],
        ),
        (
            "Rust, rumqttc",
            vec![
                "let ca = std::fs::read(\"CA_PEM\")?;",
                "options.set_transport(Transport::Tls(TlsConfiguration::Simple { ca, alpn: None, client_auth: None }));",
            ],
        ),
        (
            "Azure IoT device SDKs",
            vec![
                "They connect to port 8883 of the GatewayHostName in the connection string, and still sign for the HostName:",
                "  HostName=HUB.azure-devices.net;DeviceId=...;SharedAccessKey=...;GatewayHostName=NAME_OF_THIS_MACHINE",
                "Python  IoTHubDeviceClient.create_from_connection_string(text, server_verification_cert=open(\"CA_PEM\").read())",
                "Node    client.setOptions({ ca: fs.readFileSync('CA_PEM', 'utf-8') }, done)",
                "C       IoTHubDeviceClient_SetOption(client, OPTION_TRUSTED_CERT, text_of_the_file)",
                "C#      by the system's store: see below",
            ],
        ),
        (
            "The system's store: Debian, Ubuntu",
            vec![
                "sudo cp CA_PEM /usr/local/share/ca-certificates/brownout.crt && sudo update-ca-certificates",
                "and to take it away again:",
                "sudo rm /usr/local/share/ca-certificates/brownout.crt && sudo update-ca-certificates --fresh",
            ],
        ),
        (
            "The system's store: Fedora, RHEL",
            vec![
                "sudo cp CA_PEM /etc/pki/ca-trust/source/anchors/brownout.pem && sudo update-ca-trust",
                "and to take it away again:",
                "sudo rm /etc/pki/ca-trust/source/anchors/brownout.pem && sudo update-ca-trust",
            ],
        ),
    ]
}

/// The path, in quotes where a shell would take it for something else.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain =
        path.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | ','));
    if is_plain { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_copied_into_a_shell() {
        assert_eq!(quoted(Path::new("/tmp/a-b_c.pem")), "/tmp/a-b_c.pem");
        assert_eq!(quoted(Path::new("/tmp/my ca's/ca.pem")), "'/tmp/my ca'\\''s/ca.pem'");
    }

    #[test]
    fn it_is_made_once_and_told_with_its_whole_path() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("ca");
        let (made, is_new) = made_or_opened(&directory).unwrap();
        assert!(is_new);
        let first = made.certificate().clone();
        let (again, is_new) = made_or_opened(&directory).unwrap();
        assert!(!is_new);
        assert_eq!(again.certificate(), &first);
        let text = tell(&again, is_new, &directory);
        let path = directory.join(CERTIFICATE);
        assert!(text.contains(&format!("--cafile {}", path.display())), "{text}");
        assert!(!text.contains("CA_PEM") && !text.contains("CA_DIR"), "{text}");
        assert!(!text.contains("PRIVATE KEY"), "{text}");
    }

    #[test]
    fn half_a_ca_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(CERTIFICATE), "mine").unwrap();
        let refusal = made_or_opened(folder.path()).unwrap_err();
        assert_eq!(refusal.exit, Exit::Environment);
        assert_eq!(std::fs::read_to_string(folder.path().join(CERTIFICATE)).unwrap(), "mine");
    }
}
