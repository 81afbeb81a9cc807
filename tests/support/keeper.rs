//! A server that ends with its value, and with the test program, in whatever way that ends.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a server may take to start, to end or to answer before the test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `"$@"` until it reads a line, or the end of a test program that could not say anything (killed, or with the
/// server in a static): then the directory `$0` has nobody else who removes it. Kills its whole process group.
const SCRIPT: &str = r#"
"$@" >&2 &
server=$!
echo $server
read -r _ || alone=yes
kill -KILL $server 2>/dev/null
wait $server
[ -z "$alone" ] || rm -rf -- "$0"
kill -KILL 0
"#;

/// A running server, and all that it starts in its process group.
pub struct Keeper {
    shell: Child,
    server: Pid,
}

impl Keeper {
    /// `directory` is what the server writes to, `log` gets what it says.
    pub fn start<A: AsRef<OsStr>>(directory: &Path, log: &Path, program: &str, arguments: &[A]) -> Keeper {
        let mut command = Command::new("sh");
        command.arg("-c").arg(SCRIPT).arg(directory).arg(program).args(arguments).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(log).unwrap());
        let mut shell = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Keeper { shell, server: Pid::from_raw(line.trim().parse().expect("the shell prints a process id")) }
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.server, signal).unwrap();
    }

    /// Whether the server has ended by itself; the shell keeps its process id.
    pub fn has_ended(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.server));
        stat.map_or(true, |stat| stat.contains(") Z "))
    }

    /// Asks the server to end, and waits until it has.
    pub fn stop(self) {
        self.signal(Signal::SIGTERM);
        wait_until("the server ends", || self.has_ended());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.shell.stdin.take().map(|mut stdin| stdin.write_all(b"\n"));
        let _ = self.shell.wait();
    }
}

/// Waits for this to be true.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Different ports on which nobody listens now.
pub fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
