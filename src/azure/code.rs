//! Error codes of Azure IoT Hub, as its resource log has them.
//!
//! Source: "Azure IoT Hub error codes" and "Monitoring Azure IoT Hub data reference", Microsoft Learn.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub enum Code {
    /// The device's link was closed because another came with its name.
    ConnectionForcefullyClosedOnNewConnection = 400_027,
    /// The link was closed by a drill of the service.
    ConnectionForcefullyClosedOnFaultInjection = 400_029,
    /// A connect was refused by a drill of the service.
    ConnectionRejectedOnFaultInjection = 400_030,
    /// Not authorized: a token that has expired, most of all.
    IotHubUnauthorized = 401_003,
    /// The device is not connected.
    DeviceNotOnline = 404_103,
    /// The device's side closed the link, or was not heard of for too long.
    DeviceConnectionClosedRemotely = 404_104,
    /// Too many requests.
    ThrottlingException = 429_001,
    /// A fault of the hub.
    ServerError = 500_001,
    /// A passing fault of the hub: try again.
    GenericTimeout = 500_008,
}

impl Code {
    /// All of them, by number.
    pub const ALL: [Code; 9] = [
        Code::ConnectionForcefullyClosedOnNewConnection,
        Code::ConnectionForcefullyClosedOnFaultInjection,
        Code::ConnectionRejectedOnFaultInjection,
        Code::IotHubUnauthorized,
        Code::DeviceNotOnline,
        Code::DeviceConnectionClosedRemotely,
        Code::ThrottlingException,
        Code::ServerError,
        Code::GenericTimeout,
    ];

    /// Its number.
    pub const fn number(self) -> u32 {
        // The discriminants are written out above, and all are positive.
        self as u32
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Code::ConnectionForcefullyClosedOnNewConnection => "ConnectionForcefullyClosedOnNewConnection",
            Code::ConnectionForcefullyClosedOnFaultInjection => "ConnectionForcefullyClosedOnFaultInjection",
            Code::ConnectionRejectedOnFaultInjection => "ConnectionRejectedOnFaultInjection",
            Code::IotHubUnauthorized => "IoTHubUnauthorized",
            Code::DeviceNotOnline => "DeviceNotOnline",
            Code::DeviceConnectionClosedRemotely => "DeviceConnectionClosedRemotely",
            Code::ThrottlingException => "ThrottlingException",
            Code::ServerError => "ServerError",
            Code::GenericTimeout => "GenericTimeout",
        }
    }
}

impl From<Code> for u32 {
    fn from(code: Code) -> u32 {
        code.number()
    }
}

impl TryFrom<u32> for Code {
    type Error = String;
    fn try_from(number: u32) -> Result<Code, String> {
        Code::ALL.into_iter().find(|code| code.number() == number).ok_or_else(|| {
            let known: Vec<String> = Code::ALL.iter().map(|code| code.number().to_string()).collect();
            format!(
                "`{number}` is not an error code of Azure IoT Hub that is known here; known are {}",
                known.join(", ")
            )
        })
    }
}

impl fmt::Display for Code {
    /// `404104 DeviceConnectionClosedRemotely`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_known_by_its_number_and_no_other_is() {
        for code in Code::ALL {
            assert_eq!(Code::try_from(code.number()), Ok(code));
            assert_eq!(code.to_string(), format!("{} {}", code.number(), code.name()));
        }
        assert!(Code::ALL.is_sorted());
        for unknown in [0, 404_105, 400_028] {
            let told = Code::try_from(unknown).unwrap_err();
            assert!(told.contains(&unknown.to_string()) && told.contains("404104"), "{told}");
        }
    }

    #[test]
    fn the_numbers_are_those_that_are_documented() {
        for (number, name) in [
            (400_027, "ConnectionForcefullyClosedOnNewConnection"),
            (400_029, "ConnectionForcefullyClosedOnFaultInjection"),
            (400_030, "ConnectionRejectedOnFaultInjection"),
            (401_003, "IoTHubUnauthorized"),
            (404_103, "DeviceNotOnline"),
            (404_104, "DeviceConnectionClosedRemotely"),
            (429_001, "ThrottlingException"),
            (500_001, "ServerError"),
            (500_008, "GenericTimeout"),
        ] {
            assert_eq!(Code::try_from(number).map(Code::name), Ok(name));
        }
    }
}
