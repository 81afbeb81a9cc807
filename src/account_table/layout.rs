//! How the accounts lie in their database: which tables there are, and what their flags mean.

use crate::control::environment::Environment;
use crate::relay_table::sources::{Sources, quoted};
use crate::relay_table::trouble::Trouble;

/// The layouts of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// IndiMail's: a table of active accounts, one of inactive ones, `valias`.
    IndiMail,
    /// The same for a large site: a table for each domain, and none of inactive accounts.
    IndiMailLarge,
    /// vpopmail's: a table of accounts.
    Vpopmail,
    /// The same with a table for each domain.
    VpopmailDomains,
}

impl Layout {
    /// Whether it is one of vpopmail's.
    #[must_use]
    pub fn is_of_vpopmail(self) -> bool {
        matches!(self, Layout::Vpopmail | Layout::VpopmailDomains)
    }

    /// Whether each domain has a table of its own.
    #[must_use]
    pub fn has_table_for_each_domain(self) -> bool {
        matches!(self, Layout::IndiMailLarge | Layout::VpopmailDomains)
    }

    /// The longest name of a user and of a domain that a row can have, in octets.
    #[must_use]
    pub fn octets_max(self) -> (usize, usize) {
        if self.is_of_vpopmail() { (64, 96) } else { (40, 67) }
    }
}

/// The tables, as settings name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// How they are laid out.
    pub layout: Layout,
    /// The table of accounts, quoted; where there is one for each domain it is not used.
    pub active: String,
    /// The table of inactive accounts, quoted; where there is none it is not used.
    pub inactive: String,
    /// Whether there is a table `valias`.
    pub has_aliases: bool,
    /// Whether the limits of a domain count, too.
    pub has_limits: bool,
    /// Any of these flags forbids sending.
    pub no_smtp_bits: u64,
    /// Files in the directory of a domain make mailboxes, too.
    pub has_files: bool,
}

impl Tables {
    /// What `ACCOUNT_LAYOUT` and its kin say; without it vpopmail's layout goes with `vpopmail.mysql`, IndiMail's with all else.
    ///
    /// # Errors
    ///
    /// [`Trouble::Configuration`] names the variable that is wrong.
    pub fn of(sources: &Sources<'_>) -> Result<Self, Trouble> {
        let environment = sources.environment;
        let layout = layout(environment, sources.is_of_vpopmail())?;
        let of_vpopmail = layout.is_of_vpopmail();
        let table = |variable: &str, default: &str| quoted(variable, text(environment, variable)?.unwrap_or(default));
        Ok(Self {
            layout,
            active: table("MYSQL_TABLE", if of_vpopmail { "vpopmail" } else { "indimail" })?,
            inactive: table("MYSQL_INACTIVE_TABLE", "indibak")?,
            has_aliases: yes_or_no(environment, "ACCOUNT_VALIAS")?.unwrap_or(!of_vpopmail),
            has_limits: environment.get(b"DOMAIN_LIMITS").is_some(),
            no_smtp_bits: no_smtp_bits(environment, of_vpopmail)?,
            has_files: yes_or_no(environment, "ACCOUNT_FILES")?.unwrap_or(of_vpopmail),
        })
    }

    /// The flag that sets the limits of a domain aside; it moved together with the one that forbids sending.
    #[must_use]
    pub fn override_bit(&self) -> u64 {
        if self.no_smtp_bits == 0x200 && !self.layout.is_of_vpopmail() { 0x100 } else { 0x2000 }
    }
}

fn layout(environment: &Environment, of_vpopmail: bool) -> Result<Layout, Trouble> {
    match text(environment, "ACCOUNT_LAYOUT")? {
        None | Some("") => Ok(if of_vpopmail { Layout::Vpopmail } else { Layout::IndiMail }),
        Some("indimail") => Ok(Layout::IndiMail),
        Some("indimail-large") => Ok(Layout::IndiMailLarge),
        Some("vpopmail") => Ok(Layout::Vpopmail),
        Some("vpopmail-domains") => Ok(Layout::VpopmailDomains),
        Some(other) => Err(Trouble::Configuration(format!(
            "ACCOUNT_LAYOUT is `{}`: write indimail, indimail-large, vpopmail or vpopmail-domains",
            other.escape_debug()
        ))),
    }
}

fn no_smtp_bits(environment: &Environment, of_vpopmail: bool) -> Result<u64, Trouble> {
    let Some(bits) = text(environment, "NO_SMTP_BITS")? else { return Ok(if of_vpopmail { 0x800 } else { 0x100 }) };
    let number = match bits.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => bits.parse().ok(),
    };
    let wrong = || {
        let shown = bits.escape_debug();
        Trouble::Configuration(format!("NO_SMTP_BITS is `{shown}`: write the flag as a number, as 0x100"))
    };
    number.filter(|_| !bits.contains('+')).map(u64::from).ok_or_else(wrong)
}

fn yes_or_no(environment: &Environment, variable: &str) -> Result<Option<bool>, Trouble> {
    match text(environment, variable)? {
        None | Some("") => Ok(None),
        Some("yes") => Ok(Some(true)),
        Some("no") => Ok(Some(false)),
        Some(other) => {
            Err(Trouble::Configuration(format!("{variable} is `{}`: write yes or no", other.escape_debug())))
        }
    }
}

fn text<'e>(environment: &'e Environment, variable: &str) -> Result<Option<&'e str>, Trouble> {
    let text = environment.get(variable.as_bytes()).map(std::str::from_utf8).transpose();
    text.map_err(|_| Trouble::Configuration(format!("{variable} is no UTF-8 text")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::control::load::Places;

    use super::*;

    fn tables(files: &[&str], variables: &[(&str, &str)]) -> Result<Tables, Trouble> {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(dir.path().join(file), "x\n").unwrap();
        }
        let pairs = variables.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        let environment = pairs.collect();
        let places = Places { working: dir.path().to_path_buf(), control: dir.path().to_path_buf() };
        Tables::of(&Sources { environment: &environment, places: &places })
    }

    #[test]
    fn the_layout_goes_with_the_file_that_names_the_server() {
        let indimail = tables(&["host.mysql", "vpopmail.mysql"], &[]).unwrap();
        assert_eq!((indimail.layout, indimail.no_smtp_bits, indimail.has_aliases), (Layout::IndiMail, 0x100, true));
        assert_eq!((indimail.active.as_str(), indimail.inactive.as_str()), ("`indimail`", "`indibak`"));
        let vpopmail = tables(&["vpopmail.mysql"], &[]).unwrap();
        assert_eq!((vpopmail.layout, vpopmail.no_smtp_bits, vpopmail.has_aliases), (Layout::Vpopmail, 0x800, false));
        assert!(vpopmail.has_files && !indimail.has_files);
        let named = [("ACCOUNT_LAYOUT", "vpopmail-domains"), ("ACCOUNT_VALIAS", "yes"), ("NO_SMTP_BITS", "512")];
        let named = tables(&["host.mysql"], &named).unwrap();
        assert_eq!((named.layout, named.no_smtp_bits, named.has_aliases), (Layout::VpopmailDomains, 512, true));
        assert_eq!(tables(&[], &[("NO_SMTP_BITS", "0x200")]).unwrap().override_bit(), 0x100);
        assert_eq!(tables(&[], &[]).unwrap().override_bit(), 0x2000);
    }

    #[test]
    fn a_setting_that_is_none_is_named() {
        let wrong = [
            ("ACCOUNT_LAYOUT", "sun"),
            ("ACCOUNT_VALIAS", "1"),
            ("ACCOUNT_FILES", "maybe"),
            ("NO_SMTP_BITS", "+1"),
            ("NO_SMTP_BITS", ""),
            ("NO_SMTP_BITS", "0x1ffffffff"),
            ("MYSQL_TABLE", "a`b"),
            ("MYSQL_INACTIVE_TABLE", ""),
        ];
        for (variable, value) in wrong {
            let Err(Trouble::Configuration(said)) = tables(&[], &[(variable, value)]) else {
                panic!("{variable} {value}")
            };
            assert!(said.starts_with(&format!("{variable} is `")), "{said}");
        }
    }
}
