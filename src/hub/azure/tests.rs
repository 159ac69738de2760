use super::*;
use crate::mqtt::{Properties, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

const HUB: &str = "lab.azure-devices.net";
/// The wall clock when the test begins.
const UNIX: u64 = 1_800_000_000;
const KEY: &str = "c2VjcmV0LW9mLXRoZS10ZXN0";

fn azure() -> Azure {
    Azure { key: None, unix_at_start: Duration::from_secs(UNIX) }
}

fn connect(username: &str, password: Option<&str>) -> Connect {
    Connect {
        version: Version::V311,
        clean_start: false,
        keep_alive: 60,
        properties: Properties::NONE,
        client_id: "dev1".into(),
        will: None,
        username: Some(username.into()),
        password: password.map(|text| Secret(text.as_bytes().to_vec())),
    }
}

fn user() -> String {
    format!("{HUB}/dev1/?api-version=2021-04-12&DeviceClientType=py-azure-iot-device%2F2.14.0")
}

fn token(scope: &str, expires: u64) -> String {
    format!("SharedAccessSignature sr={scope}&sig=c2ln&se={expires}")
}

fn own() -> String {
    format!("{HUB}%2Fdevices%2Fdev1")
}

/// A token of this key, made as the documents' samples make it.
fn signed(scope: &str, expires: u64, key: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).unwrap());
    let signature = STANDARD.encode(hmac::sign(&key, format!("{scope}\n{expires}").as_bytes()));
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("SharedAccessSignature sr={scope}&sig={signature}&se={expires}")
}

fn ask(azure: &Azure, username: &str, password: &str) -> Result<Option<Time>, String> {
    azure.admit(&connect(username, Some(password)), false, Time::from_secs(10))
}

#[test]
fn a_token_lets_its_device_in_until_it_expires() {
    let in_an_hour = UNIX + 3_600;
    let expected = Ok(Some(Time::from_secs(3_600)));
    for password in [
        token(&own(), in_an_hour),
        format!("SharedAccessSignature se={in_an_hour}&skn=&sig=c2ln&sr={}", own()),
        token("LAB.azure-devices.net%2fdevices%2fdev1%2fapi-version%3d2016-11-14", in_an_hour),
        format!("{}&skn=device", token(HUB, in_an_hour)),
        format!("{}&skn=device", token(&format!("{HUB}%2Fdevices"), in_an_hour)),
    ] {
        assert_eq!(ask(&azure(), &user(), &password), expected, "{password}");
    }
    for user in [format!("{HUB}/dev1"), format!("{HUB}/dev1/"), format!("{HUB}/dev1/api-version=2016-11-14")]
    {
        assert_eq!(ask(&azure(), &user, &token(&own(), in_an_hour)), expected, "{user}");
    }
}

#[test]
fn what_is_refused_is_told_by_its_reason() {
    let good = token(&own(), UNIX + 3_600);
    for (username, password, told) in [
        ("dev1".to_owned(), good.clone(), "is not `HUB/DEVICE/?api-version="),
        (format!("{HUB}/dev1/mod1/?api-version=2021-04-12"), good.clone(), "is not `HUB/DEVICE/"),
        ("/dev1/?api-version=2021-04-12".to_owned(), good.clone(), "is not `HUB/DEVICE/"),
        (format!("{HUB}/dev2/?api-version=2021-04-12"), good.clone(), "of device `dev2`"),
        (user(), "hunter2".into(), "does not begin with `SharedAccessSignature `"),
        (user(), String::new(), "neither a token nor a client certificate"),
        (user(), format!("{good}&se=1"), "`se` twice"),
        (user(), format!("{good}&x=1"), "a field `x`"),
        (user(), format!("SharedAccessSignature sr={}&se=1", own()), "no `sig`"),
        (user(), "SharedAccessSignature sr=%zz&sig=a&se=1".into(), "`sr` is not URL-encoded"),
        (user(), token(&own(), 0).replace("se=0", "se=soon"), "`se=soon` is no count"),
        (
            user(),
            token(&format!("{HUB}%2Fdevices%2Fdev2"), UNIX + 9_999),
            "for `lab.azure-devices.net/devices/dev2`",
        ),
        (
            user(),
            token("other.net%2Fdevices%2Fdev1", UNIX + 9_999),
            "not for `lab.azure-devices.net/devices/dev1`",
        ),
        (user(), token(HUB, UNIX + 9_999), "the token is for `lab.azure-devices.net`"),
        (user(), token(&own(), UNIX - 90), "expired 10 s ago"),
        (user(), token(&own(), UNIX + 10), "expired 0 s ago"),
    ] {
        let why = ask(&azure(), &username, &password).unwrap_err();
        assert!(why.contains(told), "{username} {password}: {why}");
        assert!(!why.contains("c2ln"), "no signature is shown: {why}");
    }
    assert_eq!(ask(&azure(), &user(), &token(&own(), UNIX + 11)), Ok(Some(Time::from_secs(11))));
}

#[test]
fn a_certificate_takes_the_tokens_place() {
    let asked = |certified| azure().admit(&connect(&user(), None), certified, Time::ZERO);
    assert_eq!(asked(true), Ok(None));
    assert!(asked(false).unwrap_err().contains("neither"));
}

#[test]
fn a_signature_is_checked_by_the_key() {
    let azure = azure().with_key(KEY).unwrap();
    let expires = UNIX + 3_600;
    assert!(ask(&azure, &user(), &signed(&own(), expires, KEY)).is_ok());
    for (password, told) in [
        (signed(&own(), expires, "b3RoZXI="), "not of this hub's key"),
        (signed(&own(), expires, KEY).replace(&expires.to_string(), "1900000000"), "not of this hub's key"),
        (format!("SharedAccessSignature sr={}&sig=%21&se={expires}", own()), "not Base64"),
    ] {
        let why = ask(&azure, &user(), &password).unwrap_err();
        assert!(why.contains(told), "{why}");
    }
    let why = self::azure().with_key("hunter2!").unwrap_err();
    assert!(why.contains("not Base64") && !why.contains("hunter2"), "{why}");
}

/// A token of "Control access to IoT Hub using shared access signatures" would be of a hub that is gone; this is by
/// Python's hmac and base64, as that document's sample has it.
#[test]
fn a_signature_made_elsewhere_is_taken() {
    let azure = azure().with_key(KEY).unwrap();
    let password = "SharedAccessSignature sr=lab.azure-devices.net%2Fdevices%2Fdev1&sig=%2FJDMHhn%2FjHA10EuHWToWF7Qsi%2B8m%2BfoVLXKI5eeqXlw%3D&se=1800003600";
    assert_eq!(ask(&azure, &user(), password), Ok(Some(Time::from_secs(3_600))));
}

#[test]
fn the_silence_of_a_device_has_a_ceiling() {
    let secs = Duration::from_secs;
    assert_eq!(patience(Some(secs(90))), secs(90));
    assert_eq!(patience(Some(secs(1_767))), secs(1_767));
    assert_eq!(patience(Some(secs(1_768))), secs(1_767));
    assert_eq!(patience(None), secs(1_767));
}

#[test]
fn only_documented_topics_exist() {
    use topics::{Sent, may_subscribe, sent};
    for topic in [
        "devices/dev1/messages/events",
        "devices/dev1/messages/events/",
        "devices/dev1/messages/events/a=b&%24.mid=1",
    ] {
        assert_eq!(sent(topic, "dev1"), Some(Sent::Telemetry), "{topic}");
    }
    assert_eq!(sent("$iothub/twin/GET/?$rid=7", "dev1"), Some(Sent::TwinGet { rid: "7" }));
    assert_eq!(
        sent("$iothub/twin/PATCH/properties/reported/?$version=1&$rid=7", "dev1"),
        Some(Sent::TwinPatch { rid: "7" })
    );
    assert_eq!(sent("$iothub/methods/res/200/?$rid=7", "dev1"), Some(Sent::MethodAnswer));
    for topic in [
        "a",
        "devices/dev12/messages/events/",
        "devices/dev1/messages/eventsx",
        "devices/dev1/messages/devicebound/",
        "$iothub/twin/GET/",
        "$iothub/twin/GET/?$rid=",
        "$iothub/methods/res/ok/?$rid=7",
        "$iothub/methods/POST/x/?$rid=1",
    ] {
        assert_eq!(sent(topic, "dev1"), None, "{topic}");
    }
    for filter in [
        "devices/dev1/messages/devicebound/#",
        "$iothub/twin/res/#",
        "$iothub/twin/PATCH/properties/desired/#",
        "$iothub/methods/POST/#",
    ] {
        assert!(may_subscribe(filter, "dev1"), "{filter}");
    }
    for filter in [
        "#",
        "devices/+/messages/devicebound/#",
        "devices/dev2/messages/devicebound/#",
        "$iothub/#",
        "devices/dev1/#",
    ] {
        assert!(!may_subscribe(filter, "dev1"), "{filter}");
    }
}

mod any_bytes {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_credentials_panic(user in "[a-z/?%=&-]{0,30}", password in proptest::collection::vec(any::<u8>(), 0..60), fields in "(s[rige]{1,2}=[a-z0-9%/]{0,9}&?){0,5}") {
            let azure = azure().with_key(KEY).unwrap();
            let mut asked = connect(&user, None);
            asked.password = Some(Secret(password));
            let _ = azure.admit(&asked, false, Time::ZERO);
            asked.username = Some(self::user());
            asked.password = Some(Secret(format!("SharedAccessSignature {fields}").into_bytes()));
            let _ = azure.admit(&asked, false, Time::ZERO);
        }

        #[test]
        fn no_topic_panics(topic in "[$a-z0-9/?=&]{0,40}") {
            let _ = topics::sent(&topic, "dev1");
            let _ = topics::sent(&format!("$iothub/methods/res/{topic}"), "dev1");
        }
    }
}
