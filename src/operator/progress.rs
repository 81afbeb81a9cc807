//! A progress bar, where somebody is waiting.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// What takes less needs no progress bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is drawn.
const PACE: Duration = Duration::from_millis(200);
/// Its width, in characters.
const WIDTH: usize = 40;

/// A progress bar on stderr.
#[derive(Debug)]
pub struct Bar {
    total: u64,
    began: Instant,
    drawn: Option<Instant>,
    is_shown: bool,
    /// What is found is written to the same terminal.
    shares_terminal: bool,
}

impl Bar {
    /// A bar for so much work, in any unit; none where stderr is no terminal.
    #[must_use]
    pub fn new(total: u64) -> Option<Self> {
        let shares_terminal = io::stdout().is_terminal();
        let bar = Self { total, began: Instant::now(), drawn: None, is_shown: false, shares_terminal };
        io::stderr().is_terminal().then_some(bar)
    }

    /// Shows how much is done, and that in words, if it takes long and has not been shown just now.
    pub fn draw(&mut self, done: u64, words: impl FnOnce() -> String) {
        let now = Instant::now();
        let is_due = self.drawn.is_none_or(|drawn| now.duration_since(drawn) >= PACE);
        if now.duration_since(self.began) < PATIENCE || !is_due {
            return;
        }
        let share = done.saturating_mul(100).checked_div(self.total).unwrap_or(100).min(100);
        let full = usize::try_from(share).unwrap_or(0) * WIDTH / 100;
        let bar = format!("{}{}", "#".repeat(full), " ".repeat(WIDTH - full));
        let _ = write!(io::stderr(), "\r[{bar}] {share:3}%  {} ", words());
        (self.drawn, self.is_shown) = (Some(now), true);
    }

    /// Takes it out of the way of what is about to be written to standard output.
    pub fn stand_aside(&mut self) {
        if self.shares_terminal {
            self.hide();
        }
    }

    /// Takes it away.
    pub fn hide(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
            self.is_shown = false;
        }
    }
}
