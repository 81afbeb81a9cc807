//! Mac OS X Server AppleMailServer: its restricted SMTP relay.

use crate::operator::convert::Conversion;

/// What the input looks like, for `postern convert --help`.
pub(super) const FORM: &str = "";

/// Reads the values of the directory node.
pub(super) fn read(_text: &str, conversion: &mut Conversion) {
    conversion.not_carried(0, "", "this system is not read yet");
}
