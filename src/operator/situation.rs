//! A situation to be judged: a client, what it says of itself and has proved, a sender and recipients.

use std::fmt;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::operator::moment;
use crate::policy::{Certificate, Credentials};
use crate::smtp::printable::printable;

/// How a batch writes situations, for help and man pages. What is indented keeps its lines.
pub const FORMS: &str = "\
A situation is a line of fields, separated by blanks; a value with blanks stands in quotes, in which \\ quotes the next \
character. Or it is a JSON object. ip and at least one rcpt are needed; what is left out is as with the options of \
postern explain. Empty lines and lines that begin with # say nothing.

  ip=192.0.2.7 name=n.example from=a@b.example rcpt=c@d.example
  ip=192.0.2.7 helo=x from= rcpt=c@d.example rcpt=\"two words@e.ex\"
  ip=192.0.2.7 rcpt=c@d.ex auth=joe tls=yes at=2026-11-21T19:21:46Z
  ip=192.0.2.7 rcpt=c@d.ex cert=mx@e.example
  {\"ip\": \"192.0.2.7\", \"rcpt\": [\"c@d.example\"], \"tls\": true}";

/// The most recipients of a situation.
const RECIPIENTS_MAX: usize = 10_000;

/// A client, what it says of itself and has proved, a sender and recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// The client's address.
    pub ip: IpAddr,
    /// The client's name from DNS.
    pub name: Option<Vec<u8>>,
    /// What EHLO says; none stands for the name, else the address.
    pub helo: Option<Vec<u8>>,
    /// The reverse-path, without brackets.
    pub sender: Vec<u8>,
    /// The forward-paths, without brackets.
    pub recipients: Vec<Vec<u8>>,
    /// What the client is supposed to have proved.
    pub credentials: Credentials,
    /// When it takes place, in seconds since 1970; none is now.
    pub at_seconds: Option<u64>,
}

impl Situation {
    /// A client about which nothing but its address is known, and that has said nothing.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        let (sender, recipients, credentials) = (Vec::new(), Vec::new(), Credentials::default());
        Self { ip, name: None, helo: None, sender, recipients, credentials, at_seconds: None }
    }

    /// Reads a line of a batch; none if it says nothing.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, String> {
        let fields = match line.trim_ascii() {
            [] | [b'#', ..] => return Ok(None),
            object @ [b'{', ..] => fields_of_object(object)?,
            fields => fields_of_text(fields)?,
        };
        let mut draft = Draft::default();
        fields.into_iter().try_for_each(|(name, value)| draft.set(&name, value))?;
        draft.finish().map(Some)
    }

    /// Whether a line begins as a situation does, well-formed or not.
    #[must_use]
    pub fn is_begun_by(line: &[u8]) -> bool {
        match line.trim_ascii_start() {
            [b'{', ..] => true,
            text => FIELDS
                .iter()
                .any(|field| text.strip_prefix(field.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))),
        }
    }

    /// What EHLO says.
    #[must_use]
    pub fn helo(&self) -> Vec<u8> {
        let said = self.helo.as_ref().or(self.name.as_ref());
        said.cloned().unwrap_or_else(|| self.ip.to_string().into_bytes())
    }

    /// The same with one recipient.
    #[must_use]
    pub fn with_recipient(&self, recipient: &[u8]) -> Self {
        Self { recipients: vec![recipient.to_vec()], ..self.clone() }
    }

    /// The situation for programs.
    #[must_use]
    pub fn as_json(&self) -> Value {
        let text = |octets: &Vec<u8>| String::from_utf8_lossy(octets).into_owned();
        let mut object = Map::new();
        object.insert("ip".into(), json!(self.ip.to_string()));
        let optional = [("name", &self.name), ("helo", &self.helo), ("auth", &self.credentials.user)];
        for (field, value) in optional {
            object.extend(value.as_ref().map(|value| (field.into(), json!(text(value)))));
        }
        object.insert("from".into(), json!(text(&self.sender)));
        object.insert("rcpt".into(), json!(self.recipients.iter().map(text).collect::<Vec<_>>()));
        match certified(&self.credentials) {
            Some(address) => drop(object.insert("cert".into(), json!(text(address)))),
            None if self.credentials.tls => drop(object.insert("tls".into(), json!(true))),
            None => {}
        }
        object.extend(self.at_seconds.map(|at| ("at".into(), json!(at))));
        Value::Object(object)
    }
}

impl fmt::Display for Situation {
    /// As a batch writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ip={}", self.ip)?;
        for (field, value) in [("name", &self.name), ("helo", &self.helo)] {
            value.as_ref().map_or(Ok(()), |value| write!(f, " {field}={}", quoted(value)))?;
        }
        write!(f, " from={}", quoted(&self.sender))?;
        self.recipients.iter().try_for_each(|recipient| write!(f, " rcpt={}", quoted(recipient)))?;
        self.credentials.user.as_ref().map_or(Ok(()), |user| write!(f, " auth={}", quoted(user)))?;
        match certified(&self.credentials) {
            Some(address) => write!(f, " cert={}", quoted(address))?,
            None if self.credentials.tls => f.write_str(" tls=yes")?,
            None => {}
        }
        self.at_seconds.map_or(Ok(()), |at| write!(f, " at={at}"))
    }
}

/// The address of the certificate that the client is supposed to have shown.
fn certified(credentials: &Credentials) -> Option<&Vec<u8>> {
    match &credentials.certificate {
        Some(Certificate::Of(addresses)) => addresses.first(),
        Some(Certificate::Worthless(_)) | None => None,
    }
}

fn quoted(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(&printable(value)).into_owned();
    if !text.contains(char::is_whitespace) && !text.starts_with('"') {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The fields of a situation.
const FIELDS: [&str; 9] = ["ip", "name", "helo", "from", "rcpt", "auth", "tls", "cert", "at"];

/// A situation that is being read.
#[derive(Default)]
struct Draft {
    ip: Option<IpAddr>,
    name: Option<Vec<u8>>,
    helo: Option<Vec<u8>>,
    sender: Option<Vec<u8>>,
    recipients: Vec<Vec<u8>>,
    user: Option<Vec<u8>>,
    tls: Option<bool>,
    certified: Option<Vec<u8>>,
    at_seconds: Option<u64>,
}

impl Draft {
    fn set(&mut self, name: &str, value: Vec<u8>) -> Result<(), String> {
        let text = String::from_utf8_lossy(&value).into_owned();
        match name {
            "ip" => {
                let ip = text.parse().map_err(|_| format!("ip={text}: this is no address"))?;
                once(&mut self.ip, name, ip)
            }
            "name" => once(&mut self.name, name, value),
            "helo" => once(&mut self.helo, name, value),
            "from" => once(&mut self.sender, name, value),
            "rcpt" if self.recipients.len() >= RECIPIENTS_MAX => Err(format!("more than {RECIPIENTS_MAX} recipients")),
            "rcpt" => {
                self.recipients.push(value);
                Ok(())
            }
            "auth" => once(&mut self.user, name, value),
            "tls" => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" | "on" | "1" => once(&mut self.tls, name, true),
                "no" | "false" | "off" | "0" | "" => once(&mut self.tls, name, false),
                _ => Err(format!("tls={text}: write yes or no")),
            },
            "cert" => once(&mut self.certified, name, value),
            "at" => once(&mut self.at_seconds, name, moment::parse(&text)?),
            _ => Err(format!("`{name}` is no field: there are {}", FIELDS.join(", "))),
        }
    }

    fn finish(self) -> Result<Situation, String> {
        let ip = self.ip.ok_or("ip is missing")?;
        if self.recipients.is_empty() {
            return Err("rcpt is missing".to_string());
        }
        let told = |value: Option<Vec<u8>>| value.filter(|value| !value.is_empty());
        let certified = told(self.certified);
        let credentials = Credentials {
            user: told(self.user),
            without_relay: false,
            tls: self.tls.unwrap_or(false) || certified.is_some(),
            certificate: certified.map(|address| Certificate::Of(vec![address])),
        };
        Ok(Situation {
            ip,
            name: told(self.name),
            helo: self.helo,
            sender: self.sender.unwrap_or_default(),
            recipients: self.recipients,
            credentials,
            at_seconds: self.at_seconds,
        })
    }
}

fn once<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{name} is given twice")),
    }
}

type Fields = Vec<(String, Vec<u8>)>;

fn fields_of_text(line: &[u8]) -> Result<Fields, String> {
    let shown = |text: &[u8]| String::from_utf8_lossy(&printable(text)).into_owned();
    let mut fields = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'=' || byte.is_ascii_whitespace()).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let Some(behind) = behind.strip_prefix(b"=") else {
            return Err(format!("`{}`: write field=value", shown(name)));
        };
        let (value, behind) = match behind {
            [b'"', quoted @ ..] => unquote(quoted).ok_or_else(|| format!("{}: the quote does not end", shown(name)))?,
            _ => {
                let end = behind.iter().position(u8::is_ascii_whitespace).unwrap_or(behind.len());
                let (value, behind) = behind.split_at(end);
                (value.to_vec(), behind)
            }
        };
        if behind.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
            return Err(format!("{}: there is something behind the quotes", shown(name)));
        }
        fields.push((shown(name), value));
        rest = behind.trim_ascii_start();
    }
    Ok(fields)
}

/// What stands before the closing quote, and what behind it.
fn unquote(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut value, mut rest) = (Vec::new(), text);
    loop {
        match rest {
            [b'"', behind @ ..] => return Some((value, behind)),
            [b'\\', byte, behind @ ..] | [byte, behind @ ..] => {
                value.push(*byte);
                rest = behind;
            }
            [] => return None,
        }
    }
}

fn fields_of_object(text: &[u8]) -> Result<Fields, String> {
    let object: Map<String, Value> = serde_json::from_slice(text).map_err(|error| format!("JSON: {error}"))?;
    let mut fields = Vec::new();
    for (name, value) in object {
        match value {
            Value::Null => {}
            Value::Array(values) if name == "rcpt" => {
                for value in &values {
                    fields.push((name.clone(), octets(&name, value)?));
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                fields.push((name.clone(), octets(&name, &value)?));
            }
        }
    }
    Ok(fields)
}

fn octets(name: &str, value: &Value) -> Result<Vec<u8>, String> {
    match value {
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Number(number) if name == "at" => Ok(number.to_string().into_bytes()),
        Value::Bool(flag) if name == "tls" => Ok(flag.to_string().into_bytes()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(format!("{name}: `{value}` is no text"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_written() {
        let lines = [
            "ip=192.0.2.7 from= rcpt=a@b.ex",
            "ip=2001:db8::1 name=n.ex helo=h.ex from=a@b.ex rcpt=c@d.ex rcpt=e@f.ex auth=joe tls=yes at=5",
            r#"ip=192.0.2.7 from="a \"b\\ c" rcpt=a"b@c.ex"#,
        ];
        for line in lines {
            let situation = Situation::parse(line.as_bytes()).unwrap().unwrap();
            assert_eq!(situation.to_string(), line);
            let json = situation.as_json().to_string();
            assert_eq!(Situation::parse(json.as_bytes()), Ok(Some(situation)), "{json}");
        }
        let situation = Situation::parse(br#"  rcpt="c d@e" ip=192.0.2.7 name= auth="" tls=off "#).unwrap().unwrap();
        assert_eq!(situation.recipients, [b"c d@e"]);
        assert_eq!((situation.name, situation.credentials), (None, Credentials::default()));
        assert_eq!((Situation::parse(b" \t"), Situation::parse(b"# x")), (Ok(None), Ok(None)));
    }

    #[test]
    fn a_malformed_line_is_told() {
        let table = [
            ("rcpt=a@b", "ip is missing"),
            ("ip=192.0.2.7", "rcpt is missing"),
            ("ip=192.0.2 rcpt=a", "ip=192.0.2: this is no address"),
            ("ip=192.0.2.7 ip=192.0.2.7 rcpt=a", "ip is given twice"),
            ("ip=192.0.2.7 rcpt=a from=\"b", "from: the quote does not end"),
            ("ip=192.0.2.7 rcpt=\"a\"b", "rcpt: there is something behind the quotes"),
            ("ip=192.0.2.7 rcpt=a b", "`b`: write field=value"),
            ("ip=192.0.2.7 rcpt=a to=b", "`to` is no field"),
            ("ip=192.0.2.7 rcpt=a tls=perhaps", "tls=perhaps: write yes or no"),
            ("ip=192.0.2.7 rcpt=a at=noon", "`noon` is no moment"),
            ("{\"ip\": \"192.0.2.7\", \"rcpt\": 5}", "rcpt: `5` is no text"),
            ("{\"ip\": \"192.0.2.7\"", "JSON: "),
        ];
        for (line, told) in table {
            let error = Situation::parse(line.as_bytes()).unwrap_err();
            assert!(error.starts_with(told), "{line}: {error}");
        }
        assert!(Situation::is_begun_by(b"ip=") && Situation::is_begun_by(b" {") && !Situation::is_begun_by(b"ipx=1"));
    }
}
