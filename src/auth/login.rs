//! LOGIN: asks for the name, then for the password.

use crate::auth::{Mechanism, Step, name_fault, password_claim};

/// How clients know that the name is asked for.
pub(super) const ASK_USER: &[u8] = b"Username:";
/// And the password.
const ASK_PASSWORD: &[u8] = b"Password:";

/// An exchange of LOGIN.
#[derive(Debug)]
pub(super) struct Login {
    /// The name, once it was told.
    user: Option<Vec<u8>>,
}

impl Login {
    pub(super) fn new() -> Self {
        Self { user: None }
    }

    pub(super) fn user(&self) -> &[u8] {
        self.user.as_deref().unwrap_or_default()
    }

    /// Takes the name, then the password.
    pub(super) fn take(&mut self, message: &[u8]) -> Step {
        match (&self.user, name_fault(message)) {
            (Some(user), _) => password_claim(Mechanism::Login, user, message),
            (None, Some(fault)) => fault,
            (None, None) => {
                self.user = Some(message.to_vec());
                Step::Challenge(ASK_PASSWORD.to_vec())
            }
        }
    }
}
