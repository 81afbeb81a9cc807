//! The patterns of lists that know no addresses: a wildcard or a regular expression for one text.

use crate::control::Setup;
use crate::lookup::ere::{BadExpression, Expression, Subject};
use crate::lookup::{file_names, wildmat};

/// A text that patterns are tried on; case makes no difference.
pub(super) struct Shaped {
    lower: Vec<u8>,
    by: By,
}

enum By {
    Wildcards,
    /// USE_FNMATCH.
    FileNames,
    /// QREGEX.
    Expressions(Subject),
}

impl Shaped {
    pub(super) fn new(text: &[u8], setup: &Setup) -> Self {
        let shaped = Self::without_expressions(text, setup);
        if setup.control.regular_expressions {
            Self { by: By::Expressions(Subject::new(text)), ..shaped }
        } else {
            shaped
        }
    }

    /// The same where there are wildcards only.
    pub(super) fn without_expressions(text: &[u8], setup: &Setup) -> Self {
        let is_of_files = setup.environment.get(b"USE_FNMATCH").is_some();
        Self { lower: text.to_ascii_lowercase(), by: if is_of_files { By::FileNames } else { By::Wildcards } }
    }

    /// Whether a pattern matches the text: a wildcard all of it, an expression any part.
    pub(super) fn matches(&self, pattern: &[u8]) -> Result<bool, BadExpression> {
        match &self.by {
            By::Wildcards => Ok(wildmat::matches(&pattern.to_ascii_lowercase(), &self.lower)),
            By::FileNames => Ok(file_names::matches(&pattern.to_ascii_lowercase(), &self.lower)),
            By::Expressions(subject) => Ok(Expression::new(pattern)?.is_match(subject)),
        }
    }

    /// Whether the text is this one.
    pub(super) fn is(&self, text: &[u8]) -> bool {
        self.lower.eq_ignore_ascii_case(text)
    }
}
