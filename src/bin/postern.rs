//! postern: the operator's tool; argv, edges and exit code, no decisions.

use std::fs::File;
use std::io::{self, BufRead, BufWriter, IsTerminal, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use postern::control::Setup;
use postern::control::environment::Environment;
use postern::dns::Dns;
use postern::operator::command::{Command, Convert, Lint, Match, Postern, Selftest, Settings};
use postern::operator::convert::{IntoError, SOURCE_OCTETS_MAX, convert_files, write_into};
use postern::operator::ended::{Ended, PERMANENT, TEMPORARY};
use postern::operator::host::{Gateway, gateways};
use postern::operator::match_pattern::{Matcher, told_networks};
use postern::operator::surroundings::{assignment, control_directory};
use postern::operator::{explain, lint, manual, passwd, selftest, settings, shadow, ticket_keys};

/// The longest line of standard input, in octets.
const LINE_OCTETS_MAX: u64 = 4096;

type Result<T> = std::result::Result<T, Ended>;

fn main() -> ExitCode {
    let postern = Postern::try_parse().unwrap_or_else(|wrong| {
        let usage = wrong.use_stderr();
        let _ = wrong.print();
        std::process::exit(if usage { PERMANENT.into() } else { 0 })
    });
    let done = match postern.command {
        Command::Settings(options) => show_settings(&options),
        Command::Explain(options) => explain::run(&options, &mut BufWriter::new(io::stdout().lock())),
        Command::Shadow(options) => shadow::run(&options, &mut BufWriter::new(io::stdout().lock())),
        Command::Match(options) => match_values(&options),
        Command::Lint(options) => lint_directory(&options),
        Command::Selftest(options) => test_configuration(&options),
        Command::Convert(options) => convert_configuration(&options),
        Command::Passwd(options) => passwd::run(&options, &mut io::stdout().lock()),
        Command::TicketKeys(options) => ticket_keys::run(&options),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Postern::command(), "postern", &mut io::stdout());
            Ok(0)
        }
        Command::Generate { directory } => {
            manual::generate(&directory).map(|()| 0).map_err(|error| Ended(TEMPORARY, error.to_string()))
        }
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(Ended(code, sentence)) => {
            if !sentence.is_empty() {
                eprintln!("postern: {sentence}");
            }
            ExitCode::from(code)
        }
    }
}

fn show_settings(options: &Settings) -> Result<u8> {
    let shape = match (options.json, options.markdown) {
        (true, _) => settings::Shape::Json,
        (_, true) => settings::Shape::Markdown,
        _ => settings::Shape::Text,
    };
    // Without a control directory the table is still worth showing.
    let directory = control_directory(&options.place).ok();
    let environment = Environment::of_process();
    let text = settings::show(shape, &options.names, directory.as_deref(), &environment)
        .map_err(|unknown| Ended(PERMANENT, format!("`{unknown}` is no setting; `postern settings` shows them all")))?;
    print(&text)
}

fn lint_directory(options: &Lint) -> Result<u8> {
    let directory = control_directory(&options.place)?;
    let environment = options.variables.iter().map(|text| assignment(text)).collect::<Result<Environment>>()?;
    let named = |address: &_| Gateway { address: *address, what: "a gateway".to_owned(), is_own: false };
    let gateways = if options.gateways.is_empty() { gateways() } else { options.gateways.iter().map(named).collect() };
    let arguments: Vec<Vec<u8>> = options.arguments.iter().map(|word| word.as_bytes().to_vec()).collect();
    let findings = lint::lint(lint::Examination {
        arguments: &arguments,
        directory: &directory,
        environment: &environment,
        rules: options.rules.as_deref(),
        gateways: &gateways,
        dns: options.dns.then(|| resolver(&environment)),
    });
    if options.json {
        let rows: Vec<_> = findings.iter().map(lint::Finding::as_json).collect();
        print(&format!("{:#}\n", serde_json::Value::from(rows)))?;
    } else {
        print(&findings.iter().map(|finding| format!("{finding}\n")).collect::<String>())?;
        if findings.is_empty() && io::stdout().is_terminal() {
            print(&format!("{}: nothing found\n", directory.display()))?;
        }
    }
    Ok(lint::exit_code(&findings))
}

/// Who is asked for names: whom the options or our own environment name, as smtpd does.
fn resolver(environment: &Environment) -> Dns {
    let own = Environment::of_process();
    Dns::new(environment.get(b"DNSCACHEIP").or_else(|| own.get(b"DNSCACHEIP")))
}

fn test_configuration(options: &Selftest) -> Result<u8> {
    let directory = control_directory(&options.place)?;
    let variables = options.variables.iter().map(|text| assignment(text)).collect::<Result<Vec<_>>>()?;
    let outsiders: Vec<_> = selftest::OUTSIDERS.iter().filter_map(|address| address.parse().ok()).collect();
    let configuration = selftest::Configuration {
        directory: &directory,
        variables: &variables,
        rules: options.rules.as_deref(),
        clients: if options.ip.is_empty() { &outsiders } else { &options.ip },
        senders: &options.from,
        network: if options.dns { selftest::Network::Asked } else { selftest::Network::Unasked },
    };
    let report = selftest::selftest(&configuration).map_err(|error| Ended(TEMPORARY, error.to_string()))?;
    match options.json {
        true => print(&format!("{:#}\n", report.as_json()))?,
        false => print(&report.to_string())?,
    };
    Ok(report.exit_code())
}

fn match_values(options: &Match) -> Result<u8> {
    let mut setup = Setup::default();
    // Without a control directory there are neither moreipme nor notipme.
    setup.control.directory = control_directory(&options.place).unwrap_or_else(|_| PathBuf::from("/nonexistent"));
    let mut matcher = Matcher::new(&setup, options.dns.then(|| resolver(&Environment::default())));
    let pattern = options.pattern.as_deref().map(str::as_bytes);
    let mut code = 0;
    let mut answer = |line: &[u8]| -> Result<()> {
        let (text, exit) = match (options.networks, pattern) {
            (true, _) => told_networks(line, options.json),
            (false, Some(pattern)) => matcher.matching(pattern, line).told(options.json),
            (false, None) => matcher.pair(line).told(options.json),
        };
        code = code.max(exit);
        print(&format!("{text}\n")).map(|_| ())
    };
    match pattern.filter(|_| options.networks) {
        Some(pattern) => answer(pattern)?,
        None if !options.values.is_empty() => options.values.iter().try_for_each(|value| answer(value.as_bytes()))?,
        None => each_line(answer)?,
    }
    Ok(code)
}

/// Every line of standard input that says something, as soon as it is there.
fn each_line(mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.by_ref().take(LINE_OCTETS_MAX).read_until(b'\n', &mut line) {
            Ok(0) => return Ok(()),
            Ok(_) if line.len() as u64 == LINE_OCTETS_MAX => {
                return Err(Ended(PERMANENT, format!("a line of standard input has {LINE_OCTETS_MAX} octets or more")));
            }
            Ok(_) => {}
            Err(error) => return Err(Ended(TEMPORARY, format!("standard input cannot be read: {error}"))),
        }
        let text = line.trim_ascii();
        if !text.is_empty() {
            take(text)?;
        }
    }
}

fn convert_configuration(options: &Convert) -> Result<u8> {
    let standard_input = [PathBuf::from("-")];
    let paths = if options.files.is_empty() { &standard_input[..] } else { &options.files };
    let files = paths.iter().map(|path| source(path)).collect::<Result<Vec<_>>>()?;
    let conversion = convert_files(options.from, &files);
    match &options.into {
        None => print(&conversion.to_string())?,
        Some(directory) => {
            let written = write_into(&conversion, directory).map_err(|error| match error {
                IntoError::Exists(path) => Ended(PERMANENT, format!("{} exists; nothing written", path.display())),
                IntoError::System(path, error) => Ended(TEMPORARY, format!("{}: {error}", path.display())),
            })?;
            let written: String = written.iter().map(|path| format!("{}\n", path.display())).collect();
            print(&(written + &conversion.remarks()))?
        }
    };
    Ok(u8::from(!conversion.is_complete()))
}

/// A file to convert: its name for the comments, and its octets.
fn source(path: &Path) -> Result<(String, Vec<u8>)> {
    let unreadable = |error: io::Error| Ended(TEMPORARY, format!("{} cannot be read: {error}", path.display()));
    let mut octets = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(SOURCE_OCTETS_MAX + 1).read_to_end(&mut octets).map_err(unreadable)?;
    } else {
        let file = File::open(path).map_err(unreadable)?;
        file.take(SOURCE_OCTETS_MAX + 1).read_to_end(&mut octets).map_err(unreadable)?;
    }
    if octets.len() as u64 > SOURCE_OCTETS_MAX {
        return Err(Ended(PERMANENT, format!("{} is longer than {SOURCE_OCTETS_MAX} octets", path.display())));
    }
    let name = if path == Path::new("-") { String::new() } else { path.display().to_string() };
    Ok((name, octets))
}

fn print(text: &str) -> Result<u8> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(0),
        // Whoever read us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(Ended(TEMPORARY, format!("cannot write: {error}"))),
    }
}
