//! The rules about the name a client gives.

use crate::client::Client;
use crate::control::Control;

/// Whether ENFORCE_FQDN_HELO refuses this name: it has no dot, and the client may not relay. D16: asked at HELO only.
#[must_use]
pub fn lacks_dot(control: &Control, client: &Client, name: &[u8]) -> bool {
    control.fqdn_helo && client.relay_suffix.is_none() && !name.contains(&b'.')
}
