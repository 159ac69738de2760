//! User names: `{hub}/{device}/?api-version=2021-04-12&...`.

/// Who a user name says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub hub: &'a str,
    pub device: &'a str,
}

/// Reads a user name. What stands behind the device may be missing, and may be without its `?` as documents of 2017
/// had it: Microsoft recommends the api-version, and does not ask for it.
pub(super) fn parse(user: &str) -> Result<Name<'_>, String> {
    let malformed = || {
        format!("the user name `{user}` is not `HUB/DEVICE/?api-version=2021-04-12` (more after it with `&`)")
    };
    let mut parts = user.splitn(3, '/');
    let (hub, device) = parts.next().zip(parts.next()).ok_or_else(malformed)?;
    let query = parts.next().unwrap_or_default();
    let is_query = query.is_empty() || query.starts_with('?') || query.starts_with("api-version=");
    if hub.is_empty() || device.is_empty() || !is_query {
        return Err(malformed());
    }
    Ok(Name { hub, device })
}
