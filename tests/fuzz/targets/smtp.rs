//! Commands and paths against the sentences of RFC 5321 and the original's leniency, read one octet at a time.

use postern::smtp::command::Command;
use postern::smtp::parameter::{MailParameters, Unsupported, check_rcpt_parameters};
use postern::smtp::path::{ADDRESS_OCTETS_MAX, Path, domain, ip4_literal};
use postern::smtp::printable::{loggable, printable};

/// A command line: the verb is what stands before the first space, the argument what stands behind the spaces.
pub fn command(line: &[u8]) {
    let verb: Vec<u8> = line.iter().copied().take_while(|byte| *byte != b' ').collect();
    let argument: Vec<u8> = line.iter().copied().skip(verb.len()).skip_while(|byte| *byte == b' ').collect();
    let (name, heard): (&str, &[u8]) = match Command::parse(line) {
        Command::Helo(argument) => ("HELO", argument),
        Command::Ehlo(argument) => ("EHLO", argument),
        Command::Mail(argument) => ("MAIL", argument),
        Command::Rcpt(argument) => ("RCPT", argument),
        Command::Data(argument) => ("DATA", argument),
        Command::Auth(argument) => ("AUTH", argument),
        Command::StartTls { verb: as_written, argument } => {
            assert_eq!(as_written, verb);
            ("STARTTLS", argument)
        }
        Command::Rset(argument) => ("RSET", argument),
        Command::Noop(argument) => ("NOOP", argument),
        Command::Vrfy => ("VRFY", &argument),
        Command::Help => ("HELP", &argument),
        Command::Quit => ("QUIT", &argument),
        Command::Unknown { verb: unknown, argument } => {
            const VERBS: &str = "HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT AUTH STARTTLS";
            assert_eq!(unknown, verb);
            let known = |known: &str| known.as_bytes().eq_ignore_ascii_case(&verb);
            assert!(!VERBS.split(' ').any(known), "a known verb was not known");
            ("", argument)
        }
    };
    assert!(name.is_empty() || name.as_bytes().eq_ignore_ascii_case(&verb), "{name}");
    assert_eq!(heard, argument);
    shown(line);
}

/// What we say of a client's text has no control octets and is valid UTF-8; text without either is said as it is.
fn shown(text: &[u8]) {
    for (shown, forbidden) in [(printable(text).into_owned(), ""), (loggable(text), "<>")] {
        let shown = String::from_utf8(shown).unwrap();
        assert!(!shown.chars().any(|character| character.is_control() || forbidden.contains(character)));
    }
    if std::str::from_utf8(text).is_ok_and(|text| !text.chars().any(char::is_control)) {
        assert_eq!(printable(text), text);
    }
}

/// The argument of MAIL or RCPT, and the parameters behind the path.
pub fn path(argument: &[u8]) {
    let expected = reference(argument).filter(|(address, _)| {
        address.len() <= ADDRESS_OCTETS_MAX && !address.iter().any(|byte| *byte < b' ' || *byte == 127)
    });
    let path = Path::parse(argument).ok();
    assert_eq!(path.as_ref().map(|path| (path.address.clone(), path.parameters)), expected);
    let Some(path) = path else { return };

    let after_last_at = path.address.rsplit(|byte| *byte == b'@').next().unwrap();
    let has_domain = path.address.contains(&b'@');
    assert_eq!(domain(&path.address), has_domain.then_some(after_last_at));
    if let Some(literal) = ip4_literal(&path.address) {
        assert_eq!(after_last_at, format!("[{literal}]").as_bytes());
    }
    parameters(path.parameters);
}

/// The octets of the address and the text behind it; `None` without an address.
fn reference(argument: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let find = |wanted: u8, from: usize| (from..argument.len()).find(|at| argument[*at] == wanted);
    let (mut at, terminator) = match find(b'<', 0) {
        Some(bracket) => (bracket + 1, b'>'),
        None => {
            let mut at = find(b':', 0)? + 1;
            argument.get(at)?;
            while argument.get(at) == Some(&b' ') {
                at += 1;
            }
            (at, b' ')
        }
    };
    if argument.get(at) == Some(&b'@') {
        at = find(b':', at).map_or(argument.len(), |colon| colon + 1);
    }
    let (mut address, mut is_quoted) = (Vec::new(), false);
    while at < argument.len() {
        let byte = argument[at];
        at += 1;
        if byte == b'\\' {
            address.extend(argument.get(at));
            at += 1;
        } else if byte == b'"' {
            is_quoted = !is_quoted;
        } else if byte == terminator && !is_quoted {
            break;
        } else {
            address.push(byte);
        }
    }
    Some((address, argument.get(at..).unwrap_or_default()))
}

/// Words between spaces: known ones are read or ignored, any other one is refused.
fn parameters(text: &[u8]) {
    let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
    let names: Vec<String> = words
        .iter()
        .map(|word| String::from_utf8_lossy(word.split(|byte| *byte == b'=').next().unwrap()).to_ascii_uppercase())
        .collect();
    let all_of = |known: &str| names.iter().all(|name| known.split(' ').any(|known| known == name));
    assert_eq!(check_rcpt_parameters(text).is_ok(), all_of("NOTIFY ORCPT"));
    match MailParameters::parse(text) {
        Ok(parameters) => {
            assert!(all_of("SIZE BODY SMTPUTF8 AUTH RET ENVID"));
            assert_eq!(parameters.smtputf8, names.iter().any(|name| name == "SMTPUTF8"));
            let last_size = words.iter().rev().find_map(|word| size(word));
            assert_eq!(parameters.size_octets, last_size.unwrap_or(0));
        }
        Err(Unsupported) => assert!(!all_of("SIZE BODY SMTPUTF8 AUTH RET ENVID")),
    }
}

/// The number in `SIZE=number`, as far as 64 bits can say it.
fn size(word: &[u8]) -> Option<u64> {
    let digits = word.to_ascii_uppercase().strip_prefix(b"SIZE=")?.to_vec();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| String::from_utf8(digits).unwrap().parse().unwrap_or(u64::MAX))
}
