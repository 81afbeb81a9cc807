//! Ipswitch IMail: one of five modes, a list of addresses, and accept.txt.

use crate::operator::convert::Conversion;

/// What the input looks like, for `postern convert --help`.
pub(super) const FORM: &str = "";

/// Reads mode, addresses and entries of accept.txt.
pub(super) fn read(_text: &str, conversion: &mut Conversion) {
    conversion.not_carried(0, "", "this system is not read yet");
}
