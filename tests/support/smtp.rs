//! The client's side of a session with a program that speaks SMTP on stdin and stdout, with a deadline on every wait.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// No honest answer takes longer, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that a thread collects from a descriptor.
#[derive(Default)]
struct Stream {
    state: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

impl Stream {
    fn collect(mut from: impl Read + Send + 'static) -> Arc<Stream> {
        let stream = Arc::new(Stream::default());
        let filled = Arc::clone(&stream);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let n = from.read(&mut buffer).unwrap_or(0);
                let mut state = filled.state.lock().unwrap();
                state.0.extend_from_slice(&buffer[..n]);
                state.1 = n == 0;
                filled.changed.notify_all();
                if n == 0 {
                    return;
                }
            }
        });
        stream
    }

    /// Waits until `done(bytes, closed)` has something, or until the deadline.
    fn wait<T>(&self, done: impl Fn(&mut Vec<u8>, bool) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock().unwrap();
        loop {
            let (bytes, closed) = &mut *state;
            if let Some(found) = done(bytes, *closed) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

/// What came instead of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum NoLine {
    /// Nothing within the deadline; what had come without a line end.
    Hang(String),
    /// The program closed its output; what had come without a line end.
    Closed(String),
    /// A line that does not end in CR LF or holds a stray one.
    Stray(String),
}

/// A running program and both ends of its conversation.
pub struct Smtp {
    child: Child,
    input: Option<Sender<Vec<u8>>>,
    output: Arc<Stream>,
    errors: Arc<Stream>,
}

impl Smtp {
    /// Starts the command with pipes on 0, 1 and 2.
    pub fn start(command: &mut Command) -> Smtp {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let output = Stream::collect(child.stdout.take().unwrap());
        let errors = Stream::collect(child.stderr.take().unwrap());
        let input = Some(writer(child.stdin.take().unwrap()));
        Smtp { child, input, output, errors }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends these bytes in one write (as far as the pipe takes them); never blocks.
    pub fn send(&self, bytes: impl Into<Vec<u8>>) {
        if let Some(input) = &self.input {
            let _ = input.send(bytes.into()); // The program may be gone: its last words tell.
        }
    }

    /// Closes the client's side.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// The next line of the server, without CR LF.
    pub fn line(&self) -> Result<String, NoLine> {
        let found = self.output.wait(|bytes, closed| match bytes.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let line: Vec<u8> = bytes.drain(..=end).collect();
                Some(clean(&line))
            }
            None if closed => Some(Err(NoLine::Closed(text(&std::mem::take(bytes))))),
            None => None,
        });
        found.unwrap_or_else(|| Err(NoLine::Hang(text(&self.output.state.lock().unwrap().0))))
    }

    /// The next reply, all its lines; panics when none comes.
    pub fn reply(&self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line =
                self.line().unwrap_or_else(|error| panic!("{error:?} after {lines:?}; log:\n{}", self.log_now()));
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line);
            if !more {
                return lines;
            }
        }
    }

    /// Sends one command and gives the last line of its reply.
    pub fn ask(&self, command: &str) -> String {
        self.send(format!("{command}\r\n"));
        self.reply().pop().unwrap()
    }

    /// Everything the server says until it closes its output.
    pub fn rest(&self) -> Result<String, NoLine> {
        let rest = self.output.wait(|bytes, closed| closed.then(|| text(&std::mem::take(bytes))));
        rest.ok_or_else(|| NoLine::Hang(text(&self.output.state.lock().unwrap().0)))
    }

    /// Waits for the end; the program is killed and `None` given when it does not come.
    pub fn exit(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        None
    }

    /// The whole log; call it after the end.
    pub fn log(&self) -> String {
        self.errors.wait(|bytes, closed| closed.then(|| text(bytes))).expect("somebody keeps descriptor 2 open")
    }

    /// The log as far as it has come.
    pub fn log_now(&self) -> String {
        text(&self.errors.state.lock().unwrap().0)
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A thread that writes, so that a server that does not read cannot hang a test.
fn writer(mut pipe: ChildStdin) -> Sender<Vec<u8>> {
    let (sender, receiver) = mpsc::channel::<Vec<u8>>();
    thread::spawn(move || {
        for bytes in receiver {
            if pipe.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    sender
}

fn clean(line: &[u8]) -> Result<String, NoLine> {
    match line.strip_suffix(b"\r\n") {
        Some(line) if !line.contains(&b'\r') => Ok(text(line)),
        Some(_) | None => Err(NoLine::Stray(format!("{:?}", text(line)))),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
