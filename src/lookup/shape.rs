//! The patterns of lists that know no addresses: a wildcard or a regular expression for one text.

use crate::lookup::address::Syntax;
use crate::lookup::ere::{BadExpression, Expression, Subject};
use crate::lookup::wildmat;

/// A text that patterns are tried on; case makes no difference.
pub(super) struct Shaped {
    lower: Vec<u8>,
    /// Made for expressions only.
    subject: Option<Subject>,
}

impl Shaped {
    pub(super) fn new(text: &[u8], syntax: Syntax) -> Self {
        let subject = match syntax {
            Syntax::Wildcards => None,
            Syntax::Expressions => Some(Subject::new(text)),
        };
        Self { lower: text.to_ascii_lowercase(), subject }
    }

    /// Whether a pattern matches the text: a wildcard all of it, an expression any part.
    pub(super) fn matches(&self, pattern: &[u8]) -> Result<bool, BadExpression> {
        match &self.subject {
            None => Ok(wildmat::matches(&pattern.to_ascii_lowercase(), &self.lower)),
            Some(subject) => Ok(Expression::new(pattern)?.is_match(subject)),
        }
    }

    /// Whether the text is this one.
    pub(super) fn is(&self, text: &[u8]) -> bool {
        self.lower.eq_ignore_ascii_case(text)
    }
}
