//! The parameters behind a path: SIZE, BODY, SMTPUTF8, AUTH and those we only tolerate.

/// What the parameters of a MAIL command said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// `SIZE=n` (RFC 1870): the announced size, in octets; a number too big to count is the biggest there is.
    pub size_octets: u64,
    /// `SMTPUTF8` (RFC 6531) was asked for.
    pub smtputf8: bool,
}

/// A parameter that no extension of ours announces (RFC 5321, 4.1.1.11: reply 555).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsupported;

impl MailParameters {
    /// Reads the text behind the reverse-path.
    ///
    /// A malformed value is ignored, as in the original. `AUTH=` is known and never believed (RFC 4954, 5; D06).
    ///
    /// # Errors
    ///
    /// [`Unsupported`] for a parameter that nobody defined (D06).
    pub fn parse(text: &[u8]) -> Result<Self, Unsupported> {
        let mut parameters = MailParameters::default();
        for (name, value) in words(text) {
            match name.to_ascii_uppercase().as_slice() {
                b"SIZE" => parameters.size_octets = digits(value).unwrap_or(parameters.size_octets),
                b"SMTPUTF8" => parameters.smtputf8 = true,
                b"BODY" | b"AUTH" | b"RET" | b"ENVID" => {}
                _ => return Err(Unsupported),
            }
        }
        Ok(parameters)
    }
}

/// Checks the text behind the forward-path: `NOTIFY=` and `ORCPT=` are known and ignored, as in the original.
///
/// # Errors
///
/// [`Unsupported`] for any other parameter (D06).
pub fn check_rcpt_parameters(text: &[u8]) -> Result<(), Unsupported> {
    let known = |name: &[u8]| name.eq_ignore_ascii_case(b"NOTIFY") || name.eq_ignore_ascii_case(b"ORCPT");
    if words(text).all(|(name, _)| known(name)) { Ok(()) } else { Err(Unsupported) }
}

/// The words of `text`, each as its name and the value behind `=`.
fn words(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).map(|word| match memchr::memchr(b'=', word) {
        Some(at) => (word.get(..at).unwrap_or_default(), word.get(at.saturating_add(1)..).unwrap_or_default()),
        None => (word, b"".as_slice()),
    })
}

fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(value.iter().fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_parameters_are_read() {
        let known = |size_octets, smtputf8| Ok(MailParameters { size_octets, smtputf8 });
        let table: &[(&[u8], Result<MailParameters, Unsupported>)] = &[
            (b"", known(0, false)),
            (b"  size=10 ", known(10, false)),
            (b" SIZE=10x", known(0, false)),
            (b" SIZE=", known(0, false)),
            (b" SIZE=99999999999999999999999", known(u64::MAX, false)),
            (b" BODY=8BITMIME SMTPUTF8 AUTH=<>", known(0, true)),
            (b" RET=HDRS ENVID=x", known(0, false)),
            (b" FOO=1", Err(Unsupported)),
            (b" SIZE=10 X", Err(Unsupported)),
        ];
        for (text, parameters) in table {
            assert_eq!(MailParameters::parse(text), *parameters, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn rcpt_parameters_are_checked() {
        assert_eq!(check_rcpt_parameters(b" NOTIFY=NEVER orcpt=rfc822;a@b"), Ok(()));
        assert_eq!(check_rcpt_parameters(b" SIZE=1"), Err(Unsupported));
    }
}
