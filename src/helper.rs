//! Asks a helper program one question on a descriptor and waits for its exit code, but not for ever.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, read, write};

use crate::control::environment::Environment;
use crate::errno::words;
use crate::spawn::{self, Kind, Pipe, SpawnError};

/// The descriptor of a question that does not go to standard input.
const QUESTION_FD: RawFd = 3;
/// What is kept of what the program writes, in octets; the rest is read and dropped.
const SAID_OCTETS_MAX: usize = 1000;
/// What is told of it in the log.
const TOLD_OCTETS_MAX: usize = 200;
/// How long the program's end may go unnoticed when something it started keeps its output open, in milliseconds.
const UNNOTICED_MILLISECONDS_MAX: u16 = 100;

/// A question, and where the program reads it.
#[derive(Debug)]
pub enum Question<'q> {
    /// On standard input.
    OnInput(&'q [u8]),
    /// On descriptor 3, as checkers of passwords do; standard input is empty.
    OnDescriptor3(&'q [u8]),
    /// The same for a program of exactly this name, which answers on standard output.
    OfChecker {
        /// What is asked.
        question: &'q [u8],
        /// Where standard error goes; none is where ours goes, the log.
        errors: Option<OwnedFd>,
    },
}

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code.
    pub code: i32,
    /// The beginning of what it wrote to standard output, and to standard error unless that is our log.
    pub said: Vec<u8>,
}

impl Answer {
    /// The first line of it: the program's reasons, for the log.
    #[must_use]
    pub fn first_line(&self) -> String {
        let said = self.said.get(..TOLD_OCTETS_MAX).unwrap_or(&self.said);
        let line = said.trim_ascii_start().split(|octet| *octet == b'\n').next().unwrap_or_default();
        String::from_utf8_lossy(line.trim_ascii_end()).into_owned()
    }
}

/// Runs `program` and its arguments. The question is there to read and then ends; standard output and error are neither the
/// client's nor the log's, because nobody knows what is written there. Once SIGTERM waits for us, the program is not waited for:
/// it is killed, and the signal is left to who asks.
///
/// # Errors
///
/// What cannot be asked is an error in words: no such program, one that was killed, one that has not ended at `deadline`
/// and is killed then, together with what it has started.
pub fn ask(
    program: &[Vec<u8>],
    environment: &Environment,
    question: Question<'_>,
    deadline: Instant,
) -> Result<Answer, String> {
    if Instant::now() >= deadline {
        return Err("there is no time left to ask it".to_owned());
    }
    let program: Vec<CString> = program
        .iter()
        .map(|word| CString::new(word.as_slice()))
        .collect::<Result<_, _>>()
        .map_err(|_| "its command line contains a NUL".to_owned())?;
    let said = |error: SpawnError| error.to_string();
    let (kind, mut descriptors) = match question {
        Question::OnInput(question) => (Kind::Helper, vec![(asked(question)?, 0)]),
        Question::OnDescriptor3(question) => {
            (Kind::Helper, vec![(Pipe::new().map_err(said)?.read, 0), (asked(question)?, QUESTION_FD)])
        }
        Question::OfChecker { question, errors } => {
            let input = [(Pipe::new().map_err(said)?.read, 0), (asked(question)?, QUESTION_FD)];
            (Kind::Checker, input.into_iter().chain(errors.map(|errors| (errors, 2))).collect())
        }
    };
    let spoken = Pipe::new().map_err(said)?;
    if kind == Kind::Helper {
        descriptors.push((spoken.write.try_clone().map_err(|error| words(&error).into_owned())?, 2));
    }
    descriptors.push((spoken.write, 1));
    let pid = spawn::start(kind, &program, &environment.for_program(), descriptors)
        .map_err(|refused| words(&refused.error.into()).into_owned())?;
    Running { pid, ear: Some(spoken.read), said: Vec::new(), termination: termination() }.wait(deadline)
}

/// A pipe that holds the question and then ends. It is filled before there is a reader, so that nobody has to wait for one
/// and none can go away.
fn asked(question: &[u8]) -> Result<OwnedFd, String> {
    let in_words = |error: Errno| words(&error.into()).into_owned();
    let pipe = Pipe::new().map_err(|error| error.to_string())?;
    fcntl(&pipe.write, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(in_words)?;
    match write(&pipe.write, question) {
        Ok(octets) if octets == question.len() => Ok(pipe.read),
        Ok(_) => Err("the question is too long for a pipe".to_owned()),
        Err(error) => Err(in_words(error)),
    }
}

/// There is something to read here while a blocked SIGTERM waits for this process. It is never read, so that the signal is there
/// for who handles it. Without it, which only a lack of descriptors can cause, the deadline ends the wait.
fn termination() -> Option<SignalFd> {
    let mut terminate = SigSet::empty();
    terminate.add(Signal::SIGTERM);
    SignalFd::with_flags(&terminate, SfdFlags::SFD_CLOEXEC).ok()
}

/// A program that has been asked.
struct Running {
    pid: Pid,
    ear: Option<OwnedFd>,
    said: Vec<u8>,
    termination: Option<SignalFd>,
}

impl Running {
    fn wait(mut self, deadline: Instant) -> Result<Answer, String> {
        let mut pause_milliseconds = 1;
        loop {
            match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
                Ok(WaitStatus::Exited(_, code)) => {
                    let _ = self.listen(0);
                    return Ok(Answer { code, said: self.said });
                }
                Ok(WaitStatus::Signaled(_, signal, _)) => return Err(format!("it was killed by {signal}")),
                Ok(_) => return Err("nobody can say how it ended".to_owned()),
                Err(error) => return Err(words(&error.into()).into_owned()),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.kill();
                return Err("it has not answered in time".to_owned());
            }
            // A program that ends closes its output, which wakes us; only one that has closed it before is looked after.
            let pause = if self.ear.is_some() { UNNOTICED_MILLISECONDS_MAX } else { pause_milliseconds };
            if self.listen(pause.min(milliseconds(left))) {
                self.kill();
                return Err("it was not waited for".to_owned());
            }
            if self.ear.is_none() {
                pause_milliseconds = (pause_milliseconds * 2).min(UNNOTICED_MILLISECONDS_MAX);
            }
        }
    }

    /// Waits until the program says something or ends, and hears what there is to hear. Says whether there is no use in waiting on.
    fn listen(&mut self, milliseconds: u16) -> bool {
        let descriptors = self.ear.iter().map(OwnedFd::as_fd).chain(self.termination.iter().map(SignalFd::as_fd));
        let mut polled: Vec<PollFd<'_>> = descriptors.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let is_any = poll(&mut polled, PollTimeout::from(milliseconds)).is_ok_and(|ready| ready > 0);
        let is_ready = |polled: Option<&PollFd<'_>>| is_any && polled.and_then(PollFd::any) == Some(true);
        if self.termination.is_some() && is_ready(polled.last()) {
            return true;
        }
        let Some(ear) = self.ear.as_ref().filter(|_| is_ready(polled.first())) else { return false };
        let mut chunk = [0; 1024];
        match read(ear, &mut chunk) {
            Err(Errno::EINTR) => {}
            Ok(0) | Err(_) => self.ear = None,
            Ok(octets) => {
                let room = SAID_OCTETS_MAX.saturating_sub(self.said.len());
                self.said.extend(chunk.iter().take(octets.min(room)));
            }
        }
        false
    }

    fn kill(self) {
        // Where the group is gone already there is nothing left to kill.
        let _ = killpg(self.pid, Signal::SIGKILL);
        while waitpid(self.pid, None) == Err(Errno::EINTR) {}
    }
}

/// At least one, so that nobody polls without a pause.
fn milliseconds(left: Duration) -> u16 {
    u16::try_from(left.as_millis()).unwrap_or(u16::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, deadline: Duration) -> Result<Answer, String> {
        let program = ["sh", "-c", script].map(|word| word.as_bytes().to_vec());
        let environment = Environment::of_process();
        ask(&program, &environment, Question::OnDescriptor3(b"joe@a.ex\0\0\0"), Instant::now() + deadline)
    }

    #[test]
    fn an_exit_code_is_an_answer_and_anything_else_is_none() {
        let heard = "x".repeat(TOLD_OCTETS_MAX);
        let cases: [(&str, Result<(i32, &str), &str>); 9] = [
            ("exit 0", Ok((0, ""))),
            ("exit 7", Ok((7, ""))),
            ("echo no database >&2; exit 111", Ok((111, "no database"))),
            ("echo; echo said; echo more; exit 3", Ok((3, "said"))),
            ("head -c 200000 /dev/zero | tr '\\0' x; exit 1", Ok((1, &heard))),
            ("test \"$(tr '\\0' , <&3)\" = joe@a.ex,,,", Ok((0, ""))),
            ("cat", Ok((0, ""))),
            ("exec >&- 2>&-; sleep 0.01; exit 5", Ok((5, ""))),
            ("kill -9 $$", Err("it was killed by SIGKILL")),
        ];
        for (script, expected) in cases {
            let expected = expected.map(|(code, said)| (code, said.to_owned()));
            let answer = shell(script, Duration::from_secs(20)).map(|answer| (answer.code, answer.first_line()));
            assert_eq!(answer, expected.map_err(str::to_owned), "{script}");
        }
    }

    #[test]
    fn what_a_program_leaves_running_is_not_waited_for() {
        let answer = shell("sleep 600 & echo $!; exit 2", Duration::from_secs(20)).unwrap();
        assert_eq!(answer.code, 2);
        let left = Pid::from_raw(answer.first_line().parse().unwrap());
        assert_eq!(nix::sys::signal::kill(left, Signal::SIGKILL), Ok(()), "it still runs, and holds the output open");
    }

    #[test]
    fn a_program_that_does_not_answer_is_killed_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pids");
        let script = format!("sleep 600 & echo $! $$ >{}; wait", path.display());
        let mut started = Vec::new();
        // A busy machine may need longer to start a program at all.
        for milliseconds in [100, 1_000, 10_000] {
            let said = shell(&script, Duration::from_millis(milliseconds));
            assert_eq!(said, Err("it has not answered in time".to_owned()));
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            started = text.split_whitespace().map(str::to_owned).collect();
            if started.len() == 2 {
                break;
            }
        }
        assert_eq!(started.len(), 2);
        // Gone, or a zombie that its new parent has not asked for yet.
        let is_gone = |pid: &String| {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |status| status.contains(") Z "))
        };
        let is_gone_soon = |pid: &String| {
            (0..1_000).any(|_| {
                std::thread::sleep(Duration::from_millis(1));
                is_gone(pid)
            })
        };
        assert!(started.iter().all(is_gone_soon), "{started:?}");
    }

    #[test]
    fn what_cannot_be_asked_says_why() {
        let later = Instant::now() + Duration::from_secs(20);
        let ask = |program: &str, question: &[u8], deadline: Instant| {
            let question = Question::OnDescriptor3(question);
            ask(&[program.as_bytes().to_vec()], &Environment::default(), question, deadline).unwrap_err()
        };
        assert_eq!(ask("/nonexistent/program", b"", later), "file does not exist");
        assert_eq!(ask("a\0b", b"", later), "its command line contains a NUL");
        assert_eq!(ask("true", &vec![0; 1 << 21], later), "the question is too long for a pipe");
        assert_eq!(ask("true", b"", Instant::now()), "there is no time left to ask it");
    }
}
