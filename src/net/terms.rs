//! What a listener does with its links: where they lead, and where TLS begins and ends.

use super::dial::{LIMIT, Upstream};
use super::tls::{DeviceTls, HubTls, KeyLog, TlsError};
use crate::base::text::glob;
use crate::event::{TlsMode, TlsTerms};
use crate::profile::ListenerPlan;
use std::sync::Arc;
use std::time::Duration;

/// How long a TLS handshake may take that no fault holds back. Servers allow 10 to 60 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a listener does with its links.
#[derive(Debug)]
pub struct Terms {
    /// Where TLS begins and ends.
    pub mode: TlsMode,
    /// What devices are shown, where brownout is their TLS server.
    pub device: Option<DeviceTls>,
    /// How the hub is met, where brownout is its TLS client.
    pub hub: Option<HubTls>,
    /// Whether what the hub is shown depends on whose certificate the device presents.
    pub by_device: bool,
    /// How long a TLS handshake may take that no fault holds back.
    pub patience: Duration,
    /// How long the hub may take to accept a connect.
    pub dial_limit: Duration,
    upstream: Upstream,
    routes: Vec<(String, Upstream)>,
    told: TlsTerms,
}

impl Terms {
    /// Loads what the plan names; with warnings to be told at the start.
    ///
    /// # Errors
    /// A file that cannot be used, or a setting that cannot be.
    pub fn load(plan: &ListenerPlan, key_log: &Arc<KeyLog>) -> Result<(Terms, Vec<String>), TlsError> {
        let ListenerPlan { name: _, listen: _, upstream, tls } = plan;
        let device = tls.mode.serves().then(|| DeviceTls::load(tls, key_log)).transpose()?;
        let host = upstream.rsplit_once(':').map_or(upstream.as_str(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let hub = tls.mode.dials().then(|| HubTls::load(tls, host, key_log)).transpose()?;
        let mut warnings: Vec<String> = device.iter().flat_map(|tls| tls.warnings().to_vec()).collect();
        warnings.extend(hub.iter().flat_map(|tls| tls.warnings().to_vec()));
        let terms = Terms {
            mode: tls.mode,
            device,
            hub,
            by_device: tls.hub_certificates.is_some(),
            patience: PATIENCE,
            dial_limit: LIMIT,
            upstream: upstream.as_str().into(),
            routes: tls
                .routes
                .iter()
                .map(|route| (route.sni.clone(), route.upstream.as_str().into()))
                .collect(),
            told: TlsTerms {
                mode: tls.mode,
                hub_unverified: tls.mode.dials() && tls.hub_unverified,
                key_log: key_log.active().is_some() && (tls.mode.serves() || tls.mode.dials()),
            },
        };
        Ok((terms, warnings))
    }

    /// What is told of it.
    pub fn told(&self) -> TlsTerms {
        self.told.clone()
    }

    /// Whether where a link leads depends on the server name that its device asks for.
    pub fn is_routed(&self) -> bool {
        !self.routes.is_empty()
    }

    /// Where a link leads whose device asks for this name.
    pub fn upstream(&self, sni: Option<&str>) -> &Upstream {
        let routed = sni.and_then(|sni| self.routes.iter().find(|(pattern, _)| glob(pattern, sni)));
        routed.map_or(&self.upstream, |(_, upstream)| upstream)
    }
}
