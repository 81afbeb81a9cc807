//! spamdyke: its relay level, access lists and rules.

use crate::operator::convert::Conversion;

/// What the input looks like, for `postern convert --help`.
pub(super) const FORM: &str = "";

/// Reads a configuration file.
pub(super) fn read(_text: &str, conversion: &mut Conversion) {
    conversion.not_carried(0, "", "this system is not read yet");
}
