//! Floor 1: WebSocket (RFC 6455) as it stands on the wire, walked in place.
