//! Reads tests/rows/*.rows: the notation is told at the top of tests/rows.rs.

/// What a client hears in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Reject,
    Temp,
    /// tcpserver closes the connection: no smtpd is started.
    Deny,
}

/// A transaction: what is said, and what must be heard.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// Where it stands, as `sun.rows:12`.
    pub at: String,
    pub verdict: Option<Verdict>,
    /// As the log says it; `-` when the decision is not logged with one.
    pub reason: String,
    pub ip: String,
    pub name: Option<String>,
    pub sender: String,
    pub recipient: String,
    pub auth: bool,
    pub tls: bool,
    /// Commands that go before it, each answered with 2xx.
    pub before: Vec<String>,
    /// The last line of the reply that decides.
    pub reply: Option<String>,
    /// The recipients that the queue program is given.
    pub queued: Vec<String>,
    /// Lines of the log that must be there, and that must not.
    pub log: Vec<String>,
    pub nolog: Vec<String>,
}

/// What `postern lint` must say of the control files.
#[derive(Clone, Debug)]
pub struct Lint {
    pub exit: i32,
    /// Part of a line of its output; nothing at all is expected when empty.
    pub text: String,
}

/// Files, variables and names, and the sessions that are played with them.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Control files by name, as lines.
    pub control: Vec<(String, Vec<String>)>,
    pub removed: Vec<String>,
    pub cdb: Vec<(String, Vec<String>)>,
    /// Lines that take turns at the place of the line `EACH` of this control file.
    pub each: Vec<String>,
    /// The control file whose lines are tried in every order.
    pub any_order: Option<String>,
    pub rules: Vec<String>,
    pub env: Vec<(String, String)>,
    pub zone: Vec<String>,
    /// Logins of mail readers: age in seconds, user, address.
    pub logins: Vec<(u64, String, String)>,
    /// Lines that the log of every session must have.
    pub log: Vec<String>,
    pub lint: Vec<Lint>,
    /// The issue that brings what `smtpd` lacks, and what that is.
    pub todo: Option<(String, String)>,
    /// Cases of one connection.
    pub sessions: Vec<Vec<Case>>,
}

/// A row of the specification.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: String,
    pub says: String,
    /// What a test written by hand looks at besides.
    pub also: Option<String>,
    pub blocks: Vec<Block>,
}

/// Stands for the line of a control file that changes from turn to turn.
pub const EACH: &str = "<each>";

/// All rows of a file; `name` is for what is wrong with it.
pub fn read(name: &str, text: &str) -> Result<Vec<Row>, String> {
    let mut reader = Reader::default();
    for (number, line) in (1..).zip(text.lines()) {
        let at = format!("{name}:{number}");
        reader.line(&at, line.trim()).map_err(|error| format!("{at}: {error}: {line}"))?;
    }
    if reader.session.is_some() {
        return Err(format!("{name}: `session` without `end`"));
    }
    Ok(reader.rows)
}

#[derive(Default)]
struct Reader {
    rows: Vec<Row>,
    /// The fields that a session gives to its cases, inside one.
    session: Option<Vec<String>>,
    before: Vec<String>,
    in_case: bool,
}

impl Reader {
    fn line(&mut self, at: &str, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim_start();
        if keyword == "row" {
            self.rows.push(Row {
                id: rest.to_owned(),
                says: String::new(),
                also: None,
                blocks: vec![Block::default()],
            });
            self.in_case = false;
            return Ok(());
        }
        let row = self.rows.last_mut().ok_or("stands before the first row")?;
        match keyword {
            "says" => row.says = rest.to_owned(),
            "also" => row.also = Some(rest.to_owned()),
            "or" => {
                row.blocks.push(Block::default());
                self.in_case = false;
            }
            "session" => {
                self.session = Some(rest.split_whitespace().map(str::to_owned).collect());
                self.in_case = false;
            }
            "end" => self.session = None,
            "say" => self.before.push(rest.to_owned()),
            "ACCEPT" | "REJECT" | "TEMP" | "DENY" => self.case(at, keyword, rest)?,
            "reply" | "queued" | "log" | "nolog" if self.in_case => self.afterwards(keyword, rest)?,
            _ if self.in_case => return Err("unknown word, or one that stands before the cases".to_owned()),
            _ => row.blocks.last_mut().ok_or("no block")?.prepare(keyword, rest)?,
        }
        Ok(())
    }

    fn block(&mut self) -> Result<&mut Block, String> {
        self.rows.last_mut().and_then(|row| row.blocks.last_mut()).ok_or_else(|| "no block".to_owned())
    }

    fn case(&mut self, at: &str, verdict: &str, rest: &str) -> Result<(), String> {
        let mut words = rest.split_whitespace();
        let reason = words.next().ok_or("no reason")?.to_owned();
        let verdict = match verdict {
            "ACCEPT" => Verdict::Accept,
            "REJECT" => Verdict::Reject,
            "TEMP" => Verdict::Temp,
            _ => Verdict::Deny,
        };
        let mut case = Case {
            at: at.to_owned(),
            verdict: Some(verdict),
            reason,
            ip: "203.0.113.9".to_owned(),
            sender: "joe@other.ex".to_owned(),
            recipient: "you@far.ex".to_owned(),
            before: std::mem::take(&mut self.before),
            ..Case::default()
        };
        let of_session = self.session.clone().unwrap_or_default();
        for word in of_session.iter().map(String::as_str).chain(words) {
            case.field(word)?;
        }
        let continues = self.session.is_some() && self.in_case;
        let block = self.block()?;
        match block.sessions.last_mut() {
            Some(session) if continues => session.push(case),
            Some(_) | None => block.sessions.push(vec![case]),
        }
        self.in_case = true;
        Ok(())
    }

    fn afterwards(&mut self, keyword: &str, rest: &str) -> Result<(), String> {
        let case = self.block()?.sessions.last_mut().and_then(|session| session.last_mut()).ok_or("no case")?;
        match keyword {
            "reply" => case.reply = Some(rest.to_owned()),
            "queued" => case.queued.push(rest.to_owned()),
            "log" => case.log.push(rest.to_owned()),
            _ => case.nolog.push(rest.to_owned()),
        }
        Ok(())
    }
}

impl Case {
    fn field(&mut self, word: &str) -> Result<(), String> {
        match word.split_once('=') {
            Some(("C", ip)) => self.ip = ip.to_owned(),
            Some(("N", name)) => self.name = Some(name.to_owned()),
            Some(("F", "<>")) => self.sender = String::new(),
            Some(("F", sender)) => self.sender = sender.to_owned(),
            Some(("R", recipient)) => self.recipient = recipient.to_owned(),
            None if word == "auth" => self.auth = true,
            None if word == "tls" => self.tls = true,
            Some(_) | None => return Err(format!("unknown field `{word}`")),
        }
        Ok(())
    }
}

impl Block {
    fn prepare(&mut self, keyword: &str, rest: &str) -> Result<(), String> {
        let pair = || rest.split_once(" = ").map(|(a, b)| (a.to_owned(), b.to_owned())).ok_or("no ` = `");
        match keyword {
            "control" => {
                let (name, line) = pair()?;
                self.lines(name).push(line);
            }
            "each" => {
                let (name, line) = pair()?;
                if self.each.is_empty() {
                    self.lines(name).push(EACH.to_owned());
                }
                self.each.push(line);
            }
            "empty" => self.lines(rest.to_owned()).clear(),
            "remove" => self.removed.push(rest.to_owned()),
            "cdb" => {
                let (name, key) = pair()?;
                match self.cdb.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, keys)) => keys.push(key),
                    None => self.cdb.push((name, vec![key])),
                }
            }
            "any" => self.any_order = Some(rest.strip_prefix("order ").ok_or("not `any order NAME`")?.to_owned()),
            "rules" => self.rules.push(rest.to_owned()),
            "env" => {
                let (name, value) = rest.split_once('=').ok_or("no `=`")?;
                self.env.push((name.to_owned(), value.to_owned()));
            }
            "login" => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                let [age, user, address] = words[..] else { return Err("not `login SECONDS USER ADDRESS`".to_owned()) };
                let age = age.parse().map_err(|_| "no number of seconds")?;
                self.logins.push((age, user.to_owned(), address.to_owned()));
            }
            "dns" => self.zone.push(rest.to_owned()),
            "log" => self.log.push(rest.to_owned()),
            "lint" => {
                let (exit, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let exit = exit.parse().map_err(|_| "no exit code")?;
                self.lint.push(Lint { exit, text: text.to_owned() });
            }
            "todo" => {
                let (issue, lacks) = rest.split_once(' ').ok_or("not `todo #N what it needs`")?;
                self.todo = Some((issue.to_owned(), lacks.to_owned()));
            }
            _ => return Err(format!("unknown word `{keyword}`")),
        }
        Ok(())
    }

    /// The lines of a control file, which is there from now on.
    fn lines(&mut self, name: String) -> &mut Vec<String> {
        let at = self.control.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            self.control.push((name, Vec::new()));
            self.control.len() - 1
        });
        &mut self.control[at].1
    }
}
