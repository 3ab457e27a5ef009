//! Standard output and standard error, which threads share, and perhaps other programs: what is
//! written at once arrives whole, and one that is non-blocking is waited for.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use indicatif::ProgressBar;
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::pipe::PIPE_BUF;

/// What the program tells while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Addresses, notes, a live line and a summary, on stderr.
    Normal,
    /// Nothing but errors.
    Quiet,
}

/// The bytes of a write to what is no pipe.
const BLOCK: usize = 1 << 16;

/// Standard output. Each call writes all that it is given, and nothing of another thread between.
#[derive(Debug, Clone, Copy)]
pub struct Stdout;

/// Standard error, alike.
#[derive(Debug, Clone, Copy)]
pub struct Stderr;

impl Stdout {
    /// The most bytes that are best written at once. Into a pipe it is what the system keeps together
    /// (`PIPE_BUF`, 4 KiB on Linux), since other processes may write into the same one.
    pub fn block() -> usize {
        let pipe = |kind| FileType::from_raw_mode(kind) == FileType::Fifo;
        match fstat(io::stdout()) {
            Ok(found) if pipe(found.st_mode) => PIPE_BUF,
            _ => BLOCK,
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_whole(io::stdout().lock().as_fd(), bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let write = || write_whole(io::stderr().lock().as_fd(), bytes);
        let live = LIVE.lock().clone();
        match live {
            Some(line) => line.suspend(write),
            None => write(),
        }
        .map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The line that is redrawn at the foot of standard error, if there is one: others are written above it.
static LIVE: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Makes `line` the one at the foot of standard error; none takes it away.
pub fn keep_at_foot(line: Option<ProgressBar>) {
    *LIVE.lock() = line;
}

/// Whether what goes to an output may be coloured, by the usual variables.
pub fn coloured(is_terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    match set("CLICOLOR_FORCE") {
        Some(force) if force != "0" => true,
        _ => is_terminal && !is_dumb() && set("CLICOLOR").is_none_or(|value| value != "0"),
    }
}

/// Whether the terminal can do nothing but print.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Prints a line for the person at the terminal. Nothing depends on it; stderr may be closed.
pub fn print_status(text: &str) {
    let _unheard = Stderr.write_all(format!("{text}\n").as_bytes());
}

/// Prints what `write` writes, all at once.
pub fn write_status(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
    let mut text = Vec::new();
    // Nothing in memory fails.
    let _unheard = write(&mut text).and_then(|()| Stderr.write_all(&text));
}

fn write_whole(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // Whoever gave it to us has made it non-blocking.
            Err(Errno::AGAIN) => wait_for_room(to)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn wait_for_room(to: BorrowedFd<'_>) -> io::Result<()> {
    match poll(&mut [PollFd::new(&to, PollFlags::OUT)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
