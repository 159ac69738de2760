//! A whole rule for each fault, as it could stand in a profile: shown in the reference, and read by the tests.

/// Faults, each with an item of `rules`.
pub(in crate::profile) const WHOLE: [(&str, &str); 26] = [
    (
        "blackhole",
        "\
- id: dark
  when: { after: connack, delay: 5s, times: 3 }
  fault: { blackhole: { toward: both, for: 1.5 keepalive + 10s } }
",
    ),
    (
        "rst",
        "\
- id: cut
  when: { every: 30s, jitter: 5s, times: 4 }
  fault: { rst: { toward: device } }
",
    ),
    (
        "fin",
        "\
- id: close
  when: { after: suback }
  fault: { fin: { toward: device } }
",
    ),
    (
        "half_close",
        "\
- id: half
  when: { after: connack, delay: 5s }
  fault: { half_close: { toward: device } }
",
    ),
    (
        "refuse",
        "\
- id: shut
  when: { at: 10s }
  fault: { refuse: { how: closed, for: 30s } }
",
    ),
    (
        "stall",
        "\
- id: stop
  when: { at: 10s }
  fault: { stall: { direction: up, for: 30s } }
",
    ),
    (
        "latency",
        "\
- id: slow
  fault: { latency: { normal: { mean: 300ms, deviation: 50ms }, direction: down } }
",
    ),
    (
        "bandwidth",
        "\
- id: narrow
  fault: { bandwidth: { rate: 64kbit/s, direction: up } }
",
    ),
    (
        "loss",
        "\
- id: lossy
  when: { at: 10s }
  fault: { loss: { chance: 10%, toward: device, for: 30s } }
",
    ),
    (
        "slice",
        "\
- id: crumbs
  fault: { slice: { size: 1, gap: 1ms, direction: down } }
",
    ),
    (
        "cut_after",
        "\
- id: quota
  fault: { cut_after: { bytes: 10000, direction: up, ending: close } }
",
    ),
    (
        "idle_timeout",
        "\
- id: nat
  fault: { idle_timeout: { after: 4m, then: vanish } }
",
    ),
    (
        "tls_handshake",
        "\
- id: silent
  when: { at: 10s }
  fault: { tls_handshake: { stall: before_server_hello, for: 30s } }
",
    ),
    (
        "tls_alert",
        "\
- id: alerted
  when: { after: connack, delay: 5s }
  fault: { tls_alert: { alert: internal_error } }
",
    ),
    (
        "tls_record",
        "\
- id: harmed
  when: { after: connack, delay: 5s }
  fault: { tls_record: { damage: mac } }
",
    ),
    (
        "token_expiry",
        "\
- id: token
  fault: { token_expiry: { lifetime: 1h, grace: 5s } }
",
    ),
    (
        "takeover",
        "\
- id: rival
  who: { client: \"sensor-*\" }
  when: { after: connack, delay: 10s }
  fault: { takeover: { for: 30s, again: 2s } }
",
    ),
    (
        "reject",
        "\
- id: unavailable
  when: { at: 10s }
  fault: { reject: { code: server_unavailable, for: 30s } }
  logged_as: 500001
",
    ),
    (
        "disconnect",
        "\
- id: restart
  when: { at: 30s }
  fault: { disconnect: { reason: server_shutting_down } }
",
    ),
    (
        "inject",
        "\
- id: command
  when: { after: suback, delay: 5s }
  fault: { inject: { publish: { topic: plant/7/command, payload: stop, qos: 1, packet_id: 60000 } } }
",
    ),
    (
        "drop",
        "\
- id: unanswered
  what: { packet: puback, direction: down, chance: 50% }
  when: { at: 10s }
  fault: { drop: { for: 30s } }
",
    ),
    (
        "delay",
        "\
- id: late-acks
  what: { packet: puback, direction: down }
  fault: { delay: { uniform: { min: 1s, max: 3s } } }
",
    ),
    (
        "duplicate",
        "\
- id: twice
  what: { packet: publish, direction: down, qos: 1, times: 1 }
  fault: { duplicate: { copies: 1 } }
",
    ),
    (
        "edit",
        "\
- id: forgotten
  what: { packet: connack }
  fault: { edit: { session_present: false } }
",
    ),
    (
        "corrupt",
        "\
- id: garbled
  what: { topic: \"plant/#\", direction: up, nth: 3 }
  fault: { corrupt: { where: payload } }
",
    ),
    (
        "cut",
        "\
- id: torn
  what: { packet: publish, direction: up, nth: 2 }
  fault: { cut: { after_bytes: 5, ending: reset } }
",
    ),
];

/// The whole rule of a fault.
pub(in crate::profile) fn whole_rule(fault: &str) -> Option<&'static str> {
    WHOLE.into_iter().find(|(name, _)| *name == fault).map(|(_, rule)| rule)
}

/// Every fault of the language, with a profile's item of `rules` that has it.
pub fn fault_examples() -> impl Iterator<Item = (&'static str, &'static str)> {
    WHOLE.into_iter()
}
