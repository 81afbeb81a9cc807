//! Which mechanisms of AUTH can be used now: what EHLO names is what AUTH takes (D66).

use crate::auth::{Binding, Digest, Hash, Mechanism};
use crate::control::checker::{Checker, Convention};
use crate::session::Session;

/// Why a mechanism cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// The settings, or the checker, do not have it.
    Off,
    /// It needs TLS, or shows the password and SECURE_AUTH is set.
    NeedsTls,
}

impl Session<'_> {
    /// The lines of EHLO about AUTH: nothing where nothing can be used.
    pub(super) fn auth_extensions(&self, checker: &Checker) -> Vec<Vec<u8>> {
        if self.setup.control.force_tls && !self.credentials.tls {
            return Vec::new();
        }
        let is_usable = |mechanism: &Mechanism| self.unusable(checker, *mechanism).is_none();
        let names: Vec<&str> = Mechanism::ALL.into_iter().filter(is_usable).map(Mechanism::name).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let names = names.join(" ");
        let old = self.setup.environment.get(b"OLD_CLIENT").map(|_| format!("AUTH={names}"));
        [format!("AUTH {names}")].into_iter().chain(old).map(String::into_bytes).collect()
    }

    /// Why this mechanism cannot be used, if it cannot.
    pub(super) fn unusable(&self, checker: &Checker, mechanism: Mechanism) -> Option<Unusable> {
        if !can_judge(checker, mechanism) {
            return Some(Unusable::Off);
        }
        let environment = &self.setup.environment;
        let binds = matches!(mechanism, Mechanism::ScramPlus(_));
        let is_off = environment.get(mechanism.switch().as_bytes()).is_some()
            || mechanism == Mechanism::Xoauth2 && environment.get(b"DISABLE_AUTH_OAUTH2").is_some();
        match (is_off, self.credentials.tls) {
            (true, _) => Some(Unusable::Off),
            (false, true) => (binds && !self.channel.can_bind()).then_some(Unusable::Off),
            (false, false) => {
                let shows = mechanism.shows_password() && environment.get(b"SECURE_AUTH").is_some();
                (binds || shows).then_some(Unusable::NeedsTls)
            }
        }
    }

    /// What an exchange by this mechanism has to do with the channel.
    pub(super) fn binding(&self, checker: &Checker, mechanism: Mechanism) -> Binding {
        match mechanism {
            Mechanism::ScramPlus(_) => Binding::To(self.channel.clone()),
            Mechanism::Scram(hash) if self.unusable(checker, Mechanism::ScramPlus(hash)).is_none() => Binding::Offered,
            Mechanism::Scram(_) | Mechanism::Login | Mechanism::Plain | Mechanism::Xoauth2 | Mechanism::Cram(_) => {
                Binding::Unoffered
            }
        }
    }
}

/// Whether the checkers can judge it, as far as the settings tell.
fn can_judge(checker: &Checker, mechanism: Mechanism) -> bool {
    if mechanism.is_legacy() && !checker.legacy {
        return false;
    }
    let checks = &checker.checks;
    // vpopmail's convention has no number of the mechanism: a checker would take it for another one.
    let is_told = checker.convention == Convention::IndiMail;
    match mechanism {
        Mechanism::Login | Mechanism::Plain => true,
        Mechanism::Cram(Digest::Md5) => checks.cram_md5,
        Mechanism::Cram(_) => checks.cram_others && is_told,
        Mechanism::Xoauth2 => checks.token && is_told,
        Mechanism::Scram(Hash::Sha1) | Mechanism::ScramPlus(Hash::Sha1) => checks.scram_sha_1 && is_told,
        Mechanism::Scram(Hash::Sha256) | Mechanism::ScramPlus(Hash::Sha256) => checks.scram_sha_256 && is_told,
    }
}
