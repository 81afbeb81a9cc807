//! The lists of addresses that refuse, drop or except: which there are, and what they are called.

/// A list that is asked about one address. Each may be text, compiled, wildcards or regular expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// Addresses of clients that are refused.
    BadIp,
    /// Names given with HELO that are refused, each behind an `@`.
    BadHelo,
    /// Senders that are refused.
    BadMailFrom,
    /// Senders whose mail is thrown away.
    BlackholedSender,
    /// Senders that no spam filter sees.
    SpamIgnore,
    /// Senders for whom no domain is local.
    AuthDomains,
    /// Senders that CHECKSENDER is about.
    CheckedSenders,
    /// Recipients that CHECKRECIPIENT is about.
    CheckedRecipients,
    /// Recipients that are refused.
    BadRcptTo,
    /// Recipients that no list refuses or drops.
    GoodRcptTo,
    /// Recipients whose mail is thrown away.
    BlackholedRcpt,
}

/// What a list is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// The file in the control directory; the compiled list is `FILE.cdb`.
    pub file: &'static str,
    /// The variable that may name another file; empty where there is none.
    pub variable: &'static str,
}

impl Listing {
    /// All of them.
    pub const ALL: [Listing; 11] = [
        Listing::BadIp,
        Listing::BadHelo,
        Listing::BadMailFrom,
        Listing::BlackholedSender,
        Listing::SpamIgnore,
        Listing::AuthDomains,
        Listing::CheckedSenders,
        Listing::CheckedRecipients,
        Listing::BadRcptTo,
        Listing::GoodRcptTo,
        Listing::BlackholedRcpt,
    ];

    /// The list itself.
    #[must_use]
    pub fn names(self) -> Names {
        let names = |file, variable| Names { file, variable };
        match self {
            Listing::BadIp => names("badip", "BADIP"),
            Listing::BadHelo => names("badhelo", "BADHELO"),
            Listing::BadMailFrom => names("badmailfrom", "BADMAILFROM"),
            Listing::BlackholedSender => names("blackholedsender", "BLACKHOLEDSENDER"),
            Listing::SpamIgnore => names("spamignore", "SPAMIGNORE"),
            Listing::AuthDomains => names("authdomains", ""),
            Listing::CheckedSenders => names("chksenderdomains", ""),
            Listing::CheckedRecipients => names("chkrcptdomains", ""),
            Listing::BadRcptTo => names("badrcptto", "BADRCPTTO"),
            Listing::GoodRcptTo => names("goodrcptto", "GOODRCPTTO"),
            Listing::BlackholedRcpt => names("blackholedrcpt", "BLACKHOLEDRCPT"),
        }
    }

    /// The separate list of its wildcards, if it may have one.
    #[must_use]
    pub fn patterns(self) -> Option<Names> {
        let names = |file, variable| Some(Names { file, variable });
        match self {
            Listing::BadMailFrom => names("badmailpatterns", "BADMAILPATTERNS"),
            Listing::BadRcptTo => names("badrcptpatterns", "BADRCPTPATTERNS"),
            Listing::GoodRcptTo => names("goodrcptpatterns", "GOODRCPTPATTERNS"),
            Listing::BadIp
            | Listing::BadHelo
            | Listing::BlackholedSender
            | Listing::SpamIgnore
            | Listing::AuthDomains
            | Listing::CheckedSenders
            | Listing::CheckedRecipients
            | Listing::BlackholedRcpt => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::settings::{Form, SETTINGS, State};

    #[test]
    fn every_list_in_every_form_is_a_setting() {
        for listing in Listing::ALL {
            let has = |names: Names, form: Form| {
                let row = SETTINGS.iter().find(|row| row.file == names.file && row.variable == names.variable);
                assert!(row.is_some_and(|row| row.form == form && row.state == State::OnDemand), "{names:?}");
            };
            has(listing.names(), Form::Addresses);
            listing.patterns().into_iter().for_each(|names| has(names, Form::Patterns));
            let compiled = format!("{}.cdb", listing.names().file);
            assert!(SETTINGS.iter().any(|row| row.file == compiled && row.form == Form::Cdb), "{compiled}");
            let in_database = format!("{}.sql", listing.names().file);
            assert!(SETTINGS.iter().any(|row| row.file == in_database && row.form == Form::Line), "{in_database}");
        }
    }
}
