//! TCP/IP Services for OpenVMS: Good-Clients, Relay-Zones and what goes with them.

use crate::operator::convert::Conversion;

/// What the input looks like, for `postern convert --help`.
pub(super) const FORM: &str = "";

/// Reads SMTP.CONFIG.
pub(super) fn read(_text: &str, conversion: &mut Conversion) {
    conversion.not_carried(0, "", "this system is not read yet");
}
