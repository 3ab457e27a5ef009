//! Standard output and standard error, shared by threads, and perhaps by other programs. Each write
//! arrives whole. If an output is non-blocking, writes wait for room.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use indicatif::ProgressBar;
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::pipe::PIPE_BUF;

/// What the program prints while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Addresses, notes, a live line and a summary, on stderr.
    Normal,
    /// Nothing but errors.
    Quiet,
}

/// The bytes of a write to anything but a pipe.
const BLOCK: usize = 1 << 16;

/// Standard output. Each call writes everything, with nothing of another thread in between.
#[derive(Debug, Clone, Copy)]
pub struct Stdout;

/// Standard error, likewise.
#[derive(Debug, Clone, Copy)]
pub struct Stderr;

impl Stdout {
    /// The best size of a write. Into a pipe it is what the system keeps together (`PIPE_BUF`, 4 KiB on
    /// Linux), since other processes may write into the same pipe.
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

/// The live line at the foot of standard error, if there is one. Other lines are written above it.
static LIVE: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Makes `line` the live line; `None` removes it.
pub fn set_live_line(line: Option<ProgressBar>) {
    *LIVE.lock() = line;
}

/// Whether an output may be coloured, by the usual variables.
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

/// Whether the terminal can only print.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Prints a line for the user. Nothing depends on it: stderr may be closed.
pub fn print_status(text: &str) {
    let _unheard = Stderr.write_all(format!("{text}\n").as_bytes());
}

/// Prints what `write` writes, all at once.
pub fn write_status(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
    let mut text = Vec::new();
    // Writing to memory can't fail.
    let _unheard = write(&mut text).and_then(|()| Stderr.write_all(&text));
}

fn write_whole(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // Whoever opened it has made it non-blocking.
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
