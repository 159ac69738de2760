//! The rules of fault-injection messages: what each command of the Azure SDKs' tests comes to on the path.
//!
//! | command | at once | for its duration |
//! |---|---|---|
//! | `KillTcp` | RST on both legs | the device's new links are reset; nothing where it gives none |
//! | `ShutDownMqtt` | FIN on both legs | as `KillTcp` |
//! | `InvokeThrottling`, `InvokeMaxMessageQuota` | | PUBACK is withheld; 30 s where it gives none |
//! | `InvokeAuthError` | FIN on both legs | CONNECT is refused as not authorized; 30 s where it gives none |

use super::plan::{Plan, Rule, When, Who};
use crate::azure::{Code, FaultOperation};
use crate::base::{Chance, Span};
use crate::fault::{
    Close, ConnackCode, Fault, LegFate, PacketAction, PacketFault, PacketMatch, Refusal, Refuse, Reject,
    Toward, WaysWanted,
};
use crate::mqtt::PacketKind;
use crate::mqtt::packet::reason;
use std::time::Duration;

/// For how long a command that says nothing of it withholds or refuses: long enough for every SDK's first attempts (their
/// longest first wait is the 10 s of Python), short enough for a test to wait for the end.
pub const ASKED_HOLD: Duration = Duration::from_secs(30);

impl Plan {
    /// Honours the fault-injection messages of devices whose client identifier matches this glob, and of no others: appends
    /// the rules of all commands, which fire when a device asks ([`When::Asked`]). The duration of a message goes over the
    /// hold of its rules; a hold of zero stands for "only where the message gives a duration".
    ///
    /// A second call only replaces the glob.
    pub fn honour(&mut self, clients: String) {
        self.rules.retain(|rule| !matches!(rule.when, When::Asked(_)));
        let rules = FaultOperation::ALL
            .into_iter()
            .flat_map(|operation| faults(operation).into_iter().map(move |asked| (operation, asked)));
        self.rules.extend(rules.map(|(operation, asked)| Rule {
            id: asked.id.to_owned(),
            who: Who { client: Some(clients.clone()), ..Who::EVERYONE },
            when: When::Asked(operation),
            chance: Chance::ALWAYS,
            fault: asked.fault,
            logged_as: asked.logged_as,
        }));
        self.fault_messages = Some(clients);
    }
}

/// One of the faults of a command.
struct Asked {
    id: &'static str,
    fault: Fault,
    logged_as: Option<Code>,
}

fn faults(operation: FaultOperation) -> Vec<Asked> {
    let plain = |id, fault| Asked { id, fault, logged_as: None };
    let refused = || Fault::Refuse(Refuse { how: Refusal::Reset, hold: Span::ZERO });
    let withheld = |id| Asked { id, fault: withheld(), logged_as: Some(Code::ThrottlingException) };
    let unauthorized = |id, fault| Asked { id, fault, logged_as: Some(Code::IotHubUnauthorized) };
    match operation {
        FaultOperation::KillTcp => {
            vec![plain("azure-kill-tcp", Fault::Rst(BOTH)), plain("azure-kill-tcp-for", refused())]
        }
        FaultOperation::ShutDownMqtt => vec![
            plain("azure-shut-down-mqtt", Fault::Fin(BOTH)),
            plain("azure-shut-down-mqtt-for", refused()),
        ],
        FaultOperation::InvokeThrottling => vec![withheld("azure-throttling")],
        FaultOperation::InvokeMaxMessageQuota => vec![withheld("azure-max-message-quota")],
        FaultOperation::InvokeAuthError => vec![
            unauthorized("azure-auth-error", Fault::Fin(BOTH)),
            unauthorized("azure-auth-error-for", Fault::Reject(Reject { code: NOT_AUTHORIZED, hold: HOLD })),
        ],
    }
}

/// Both legs; `other` has no meaning then.
const BOTH: Close = Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: true };

const HOLD: Span = Span::fixed(ASKED_HOLD);

const NOT_AUTHORIZED: ConnackCode =
    ConnackCode { return_code: reason::v3::NOT_AUTHORIZED, reason_code: reason::NOT_AUTHORIZED };

/// The hub takes messages and acknowledges none; QoS 2, which it does not take at all, is left alone.
fn withheld() -> Fault {
    Fault::Packets(PacketFault {
        what: PacketMatch {
            packet: Some(PacketKind::Puback),
            direction: WaysWanted::Down,
            ..PacketMatch::EVERY
        },
        action: PacketAction::Drop { acknowledge: false },
        hold: Some(HOLD),
    })
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use std::collections::BTreeSet;

    const TEXT: &str = "brownout: 1\nname: case\nsummary: A case.\nrules: [{ id: a, when: { at: 1s }, fault: { rst: {} } }]\n";

    fn honoured() -> Plan {
        let mut plan = read(TEXT, &[]).unwrap().plan;
        plan.honour("d-*".into());
        plan
    }

    #[test]
    fn each_command_has_its_rules_behind_those_of_the_file() {
        let plan = honoured();
        assert_eq!(plan.fault_messages.as_deref(), Some("d-*"));
        let told: Vec<_> = plan.rules.iter().map(|rule| (rule.id.as_str(), rule.fault.name())).collect();
        assert_eq!(
            told,
            [
                ("a", "rst"),
                ("azure-kill-tcp", "rst"),
                ("azure-kill-tcp-for", "refuse"),
                ("azure-shut-down-mqtt", "fin"),
                ("azure-shut-down-mqtt-for", "refuse"),
                ("azure-throttling", "drop"),
                ("azure-max-message-quota", "drop"),
                ("azure-auth-error", "fin"),
                ("azure-auth-error-for", "reject"),
            ]
        );
        let asked: BTreeSet<_> = plan
            .rules
            .iter()
            .filter_map(|rule| if let When::Asked(operation) = rule.when { Some(operation) } else { None })
            .collect();
        assert!(asked.into_iter().eq(FaultOperation::ALL));
        let of_files = |rule: &&Rule| rule.who.client.is_none();
        assert_eq!(plan.rules.iter().filter(of_files).count(), 1, "only the allowed devices");
    }

    #[test]
    fn without_a_duration_links_end_once_and_acknowledgements_are_withheld_for_a_while() {
        for rule in &honoured().rules {
            let expected = match rule.id.as_str() {
                "azure-kill-tcp-for" | "azure-shut-down-mqtt-for" => Some(Span::ZERO),
                "azure-throttling" | "azure-max-message-quota" | "azure-auth-error-for" => Some(HOLD),
                _ => None,
            };
            assert_eq!(rule.fault.hold(), expected, "{}", rule.id);
        }
    }

    #[test]
    fn a_second_call_replaces_the_devices() {
        let mut plan = honoured();
        let rules = plan.rules.len();
        plan.honour("e".into());
        assert_eq!((plan.rules.len(), plan.fault_messages.as_deref()), (rules, Some("e")));
        assert_eq!(plan.rules.last().and_then(|rule| rule.who.client.as_deref()), Some("e"));
    }
}
