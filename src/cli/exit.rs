//! Exit codes.

use super::out;
use crate::net::queue::Panicked;
use std::process::{ExitCode, Termination};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: all expectations met, or nothing was expected.
    Met,
    /// 1: an expectation was not met, or the command failed.
    Unmet,
    /// 2: bad usage or a bad profile.
    Usage,
    /// 3: the environment refused: a port, a capability, the hub, an output file.
    Environment,
    /// 101, as for every panic of a Rust program: brownout itself failed.
    Broken,
}

impl Exit {
    /// The code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Met => 0,
            Exit::Unmet => 1,
            Exit::Usage => 2,
            Exit::Environment => 3,
            Exit::Broken => 101,
        }
    }
}

impl Exit {
    /// The worse of two: a run that failed in two ways ends with the code that says more.
    pub fn max_with(self, other: Exit) -> Exit {
        if self.code() >= other.code() { self } else { other }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

/// Nothing was recorded from then on, so there is nothing to report.
impl From<Panicked> for Refusal {
    fn from(Panicked(said): Panicked) -> Refusal {
        let said = said.lines().next().unwrap_or_default();
        let message = format!(
            "what records the run has failed ({said}): the run ends here, without a report, and its log lacks what came \
             last; this is a mistake in brownout, please report it with what stands above"
        );
        Refusal { exit: Exit::Broken, message }
    }
}

/// Why a command went no further, and with which code it ends.
#[derive(Debug)]
pub struct Refusal {
    /// The code.
    pub exit: Exit,
    /// What, where, what to do; may be of several lines.
    pub message: String,
}

impl Refusal {
    /// Bad usage.
    pub fn usage(message: impl Into<String>) -> Refusal {
        Refusal { exit: Exit::Usage, message: message.into() }
    }

    /// The environment refused.
    pub fn environment(message: impl Into<String>) -> Refusal {
        Refusal { exit: Exit::Environment, message: message.into() }
    }

    /// Something was not met.
    pub fn unmet(message: impl Into<String>) -> Refusal {
        Refusal { exit: Exit::Unmet, message: message.into() }
    }

    /// Says it on standard error.
    pub fn tell(self) -> Exit {
        out::tell(format_args!("brownout: {}", self.message.trim_end()));
        self.exit
    }
}
