//! What a plan asks of net/ for the whole of the run, so that links without it pay nothing.

use super::Engine;
use crate::fault::Fault;
use crate::mqtt::FilterTree;
use crate::profile::Plan;

/// Whether anything in the plan may change what becomes of a packet that is told of.
pub(super) fn judges(plan: &Plan) -> bool {
    plan.server_keep_alive.is_some()
        || plan.fault_messages.is_some()
        || plan.rules.iter().any(|rule| rule.fault.packets().is_some())
}

/// Whether a rule gives links without a SAS token a lifetime.
pub(super) fn has_lifetimes(plan: &Plan) -> bool {
    let gives = |fault: &Fault| matches!(fault, Fault::TokenExpiry(expiry) if expiry.lifetime.is_some());
    plan.rules.iter().any(|rule| gives(&rule.fault))
}

impl Engine {
    /// Whether packets may be worked on, put between others, or said as last words: then net/ has to know where each ends,
    /// on the way in and on the way out. Constant over the run.
    pub fn works_on_packets(&self) -> bool {
        let plan = &self.plan;
        let works = |fault: &Fault| {
            matches!(
                fault,
                Fault::Packets(_)
                    | Fault::Inject(_)
                    | Fault::Reject(_)
                    | Fault::Disconnect(_)
                    | Fault::TokenExpiry(_)
            )
        };
        plan.server_keep_alive.is_some()
            || plan.fault_messages.is_some()
            || plan.rules.iter().any(|rule| works(&rule.fault))
    }

    /// Whether the topic of each PUBLISH is to be known, topic aliases resolved. Constant over the run.
    pub fn follows_topics(&self) -> bool {
        let plan = &self.plan;
        let by_topic = |fault: &Fault| fault.packets().is_some_and(|packets| packets.what.topic.is_some());
        plan.fault_messages.is_some() || plan.rules.iter().any(|rule| by_topic(&rule.fault))
    }

    /// The topic filters of all rules, to tell which PUBLISH may be one that [`Asks`](crate::fault::Asks) are for. Constant
    /// over the run.
    pub fn filters(&self) -> FilterTree {
        let mut filters = FilterTree::default();
        for (id, rule) in self.plan.rules() {
            let topic = rule.fault.packets().and_then(|packets| packets.what.topic.as_ref());
            topic.into_iter().for_each(|filter| filters.insert(filter, id));
        }
        filters
    }

    /// Whether fault-injection messages are looked for. Constant over the run.
    pub fn honours_messages(&self) -> bool {
        self.plan.fault_messages.is_some()
    }
}
