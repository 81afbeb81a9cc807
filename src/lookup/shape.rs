//! The patterns of lists that know no addresses: a wildcard or a regular expression for one text.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::control::Setup;
use crate::lookup::ere::{BadExpression, Expression, Subject};
use crate::lookup::{file_names, wildmat};

/// The most expressions that are kept compiled.
const EXPRESSIONS_MAX: usize = 256;

/// Expressions of a session, each compiled when it is first tried and kept: a list is read again for each address.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    kept: BTreeMap<Vec<u8>, Result<Rc<Expression>, BadExpression>>,
}

impl Expressions {
    /// The expression, compiled now or before.
    pub(super) fn compiled(&mut self, pattern: &[u8]) -> Result<Rc<Expression>, BadExpression> {
        if let Some(known) = self.kept.get(pattern) {
            return known.clone();
        }
        let compiled = Expression::new(pattern).map(Rc::new);
        if self.kept.len() < EXPRESSIONS_MAX {
            self.kept.insert(pattern.to_vec(), compiled.clone());
        }
        compiled
    }
}

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
    pub(super) fn matches(&self, pattern: &[u8], expressions: &mut Expressions) -> Result<bool, BadExpression> {
        match &self.by {
            By::Wildcards => Ok(wildmat::matches(&pattern.to_ascii_lowercase(), &self.lower)),
            By::FileNames => Ok(file_names::matches(&pattern.to_ascii_lowercase(), &self.lower)),
            By::Expressions(subject) => Ok(expressions.compiled(pattern)?.is_match(subject)),
        }
    }

    /// Whether the text is this one.
    pub(super) fn is(&self, text: &[u8]) -> bool {
        self.lower.eq_ignore_ascii_case(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_compiled_once() {
        let mut expressions = Expressions::default();
        let first = expressions.compiled(b"^a").unwrap();
        assert!(Rc::ptr_eq(&first, &expressions.compiled(b"^a").unwrap()));
        assert!(!Rc::ptr_eq(&first, &expressions.compiled(b"^b").unwrap()));
        assert_eq!(expressions.compiled(b"[").unwrap_err(), expressions.compiled(b"[").unwrap_err());
        assert_eq!(expressions.kept.len(), 3);
        for number in 0..2 * EXPRESSIONS_MAX {
            assert!(expressions.compiled(format!("^{number}$").as_bytes()).is_ok());
        }
        assert_eq!(expressions.kept.len(), EXPRESSIONS_MAX);
    }
}
