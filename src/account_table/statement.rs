//! The one statement that is asked about an account, and what its rows mean.

use crate::account_table::layout::{Layout, Tables};
use crate::account_table::question::Status;

/// The flag of an account that takes no mail.
const BOUNCE_MAIL: u64 = 0x10;

/// Where a row comes from: the first column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An account.
    Active,
    /// An inactive account.
    Inactive,
    /// An alias.
    Alias,
}

impl Kind {
    /// The kind of that number.
    #[must_use]
    pub fn of(number: i64) -> Option<Self> {
        [Kind::Active, Kind::Inactive, Kind::Alias].into_iter().find(|kind| *kind as i64 == number)
    }
}

/// A row that is about the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Where it comes from.
    pub kind: Kind,
    /// The flags of the account.
    pub flags: u64,
    /// The limits of the domain forbid sending.
    pub limited: bool,
}

/// What is asked of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A mailbox.
    Recipient,
    /// An account that may send.
    Sender,
}

/// A statement and the values that are bound to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its text: nothing in it comes from a client but the name of a table, which is checked and quoted.
    pub text: String,
    /// The values, as strings: a number would be equal to every name.
    pub values: Vec<Vec<u8>>,
}

/// The statement about a user of a real domain, both in lower case. The columns are kind, name, domain, flags, limit.
#[must_use]
pub fn statement(about: About, tables: &Tables, user: &[u8], domain: &[u8]) -> Statement {
    let mut parts = Parts { texts: Vec::new(), values: Vec::new(), about, tables, user, domain };
    match tables.layout {
        Layout::IndiMail => {
            parts.accounts(Kind::Active, &tables.active);
            parts.accounts(Kind::Inactive, &tables.inactive);
        }
        Layout::Vpopmail => parts.accounts(Kind::Active, &tables.active),
        Layout::IndiMailLarge | Layout::VpopmailDomains => parts.accounts_of_domain(),
    }
    if about == About::Recipient && tables.has_aliases {
        parts.aliases();
    }
    Statement { text: parts.texts.join(" UNION ALL "), values: parts.values }
}

struct Parts<'a> {
    texts: Vec<String>,
    values: Vec<Vec<u8>>,
    about: About,
    tables: &'a Tables,
    user: &'a [u8],
    domain: &'a [u8],
}

impl Parts<'_> {
    fn accounts(&mut self, kind: Kind, table: &str) {
        let limit = self.limit();
        let kind = kind as i64;
        let text = format!(
            "(SELECT {kind}, pw_name, pw_domain, pw_gid, {limit} FROM {table} WHERE pw_name = ? AND pw_domain = ? LIMIT 1)"
        );
        self.texts.push(text);
        self.values.extend([self.user.to_vec(), self.domain.to_vec()]);
    }

    fn accounts_of_domain(&mut self) {
        let limit = self.limit();
        let (kind, table) = (Kind::Active as i64, table_of(self.domain));
        self.texts
            .push(format!("(SELECT {kind}, pw_name, NULL, pw_gid, {limit} FROM {table} WHERE pw_name = ? LIMIT 1)"));
        self.values.push(self.user.to_vec());
    }

    /// Several rows may have the name, and some of them in another spelling.
    fn aliases(&mut self) {
        let kind = Kind::Alias as i64;
        self.texts.push(format!(
            "(SELECT DISTINCT {kind}, alias, domain, NULL, NULL FROM valias WHERE alias = ? AND domain = ? LIMIT 16)"
        ));
        self.values.extend([self.user.to_vec(), self.domain.to_vec()]);
    }

    fn limit(&mut self) -> String {
        if self.about == About::Recipient || !self.tables.has_limits {
            return "NULL".to_owned();
        }
        self.values.push(self.domain.to_vec());
        let table = if self.tables.layout.is_of_vpopmail() { "limits" } else { "vlimits" };
        format!("(SELECT disable_smtp FROM {table} WHERE domain = ? LIMIT 1)")
    }
}

/// The table of a domain's accounts, quoted. It has the domain's name, which is one that `users/cdb` knows; `.` and `-` become `_`.
#[must_use]
pub fn table_of(domain: &[u8]) -> String {
    let plain = |octet: &u8| if matches!(octet, b'.' | b'-') { '_' } else { char::from(*octet) };
    let name: String = domain.iter().map(plain).filter(|octet| *octet != '`').collect();
    format!("`{name}`")
}

/// The statement that counts the accounts of a table by their flags, one column for each flag.
#[must_use]
pub fn count(table: &str, flags: &[u64]) -> Statement {
    let counts = vec!["COUNT(NULLIF(pw_gid & ?, 0))"; flags.len()].join(", ");
    let values = flags.iter().map(|flag| flag.to_string().into_bytes()).collect();
    Statement { text: format!("SELECT {counts} FROM {table}"), values }
}

/// What the rows of a user come to, in whatever order they are.
#[must_use]
pub fn status(about: About, tables: &Tables, rows: &[Row]) -> Status {
    let of = |kind: Kind| rows.iter().find(|row| row.kind == kind);
    // With vpopmail, aliases come before accounts when mail is delivered.
    if about == About::Recipient && tables.layout.is_of_vpopmail() && of(Kind::Alias).is_some() {
        return Status::Ok;
    }
    match (of(Kind::Active), about) {
        // A row that is being moved may be seen in both tables.
        (Some(row), About::Recipient) if row.flags & BOUNCE_MAIL != 0 => Status::OverQuota,
        (Some(_), About::Recipient) => Status::Ok,
        (Some(row), About::Sender) => {
            let is_limited = row.limited && row.flags & tables.override_bit() == 0;
            if is_limited || row.flags & tables.no_smtp_bits != 0 { Status::NoSmtp } else { Status::Ok }
        }
        (None, _) if of(Kind::Inactive).is_some() => Status::Inactive,
        (None, About::Recipient) if of(Kind::Alias).is_some() => Status::Ok,
        (None, _) => Status::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(layout: Layout) -> Tables {
        Tables {
            layout,
            active: "`a`".into(),
            inactive: "`b`".into(),
            has_aliases: true,
            has_limits: true,
            no_smtp_bits: 0x100,
            has_files: false,
        }
    }

    #[test]
    fn every_mark_has_a_value() {
        for layout in [Layout::IndiMail, Layout::IndiMailLarge, Layout::Vpopmail, Layout::VpopmailDomains] {
            for about in [About::Recipient, About::Sender] {
                let Statement { text, values } = statement(about, &tables(layout), b"joe'", b"a-b.ex`");
                assert_eq!(text.matches('?').count(), values.len(), "{text}");
                assert!(!text.contains("joe") && text.matches('`').count() % 2 == 0, "{text}");
                let of_domain = matches!(layout, Layout::IndiMailLarge | Layout::VpopmailDomains);
                assert_eq!(text.contains("`a_b_ex`"), of_domain, "{text}");
            }
        }
    }

    #[test]
    fn rows_decide_by_their_kind() {
        let row = |kind, flags| Row { kind, flags, limited: false };
        let (active, full) = (row(Kind::Active, 0), row(Kind::Active, 0x10));
        let (inactive, alias) = (row(Kind::Inactive, 0x10), row(Kind::Alias, 0));
        let cases: [(&[Row], Status); 8] = [
            (&[], Status::Absent),
            (&[active], Status::Ok),
            (&[full], Status::OverQuota),
            (&[full, alias], Status::OverQuota),
            (&[inactive], Status::Inactive),
            (&[alias, inactive], Status::Inactive),
            (&[inactive, active], Status::Ok),
            (&[alias, alias], Status::Ok),
        ];
        let indimail = tables(Layout::IndiMail);
        for (rows, expected) in cases {
            assert_eq!(status(About::Recipient, &indimail, rows), expected, "{rows:?}");
        }
        assert_eq!(status(About::Recipient, &tables(Layout::Vpopmail), &[full, alias]), Status::Ok);
        let sender = |rows: &[Row]| status(About::Sender, &indimail, rows);
        assert_eq!(sender(&[active]), Status::Ok);
        assert_eq!(sender(&[full]), Status::Ok);
        assert_eq!(sender(&[row(Kind::Active, 0x300)]), Status::NoSmtp);
        assert_eq!(sender(&[row(Kind::Active, 0x200)]), Status::Ok);
        assert_eq!(sender(&[Row { limited: true, ..active }]), Status::NoSmtp);
        assert_eq!(sender(&[Row { limited: true, ..row(Kind::Active, 0x2000) }]), Status::Ok);
        assert_eq!(sender(&[inactive]), Status::Inactive);
        assert_eq!(sender(&[]), Status::Absent);
    }
}
