//! A run's shape without a broker: what its fleet does over time, drawn in the terminal or as a
//! picture, or a sample of its records.

pub mod axis;
pub mod braille;
pub mod cascade;
pub mod detail;
pub mod incidents;
pub mod outline;
pub mod picture;
pub mod sample;
pub mod series;
pub mod shape;
pub mod stream;
pub mod terminal;

use std::io::{self, IsTerminal};
use std::path::Path;

use crate::exit::{ExitCode, ProgramError};
use crate::output::{self, Verbosity, print_status};
use crate::pacing::{StopFlag, now_ms};
use crate::report::file::ReportFile;
use crate::sink::stdout;

pub use outline::PreviewOptions;

use outline::Outline;
use shape::Shape;
use terminal::Look;

/// The width of a drawing that goes elsewhere than to a terminal.
const WIDTH: usize = 100;

/// Shows the run that `options` describe; a set `stop` ends it early, with nothing shown.
///
/// # Errors
/// [`ProgramError`] if there is no such run, or what is shown can't be written. A reader who has seen
/// enough is no error.
pub fn preview(
    options: &PreviewOptions,
    stop: &StopFlag,
    verbosity: Verbosity,
) -> Result<ExitCode, ProgramError> {
    let picture = options.out.as_deref().map(Kind::of).transpose()?.zip(options.out.as_deref());
    let failed = |path: &Path, source| ProgramError::Picture { path: path.to_owned(), source };
    let picture = match picture {
        Some((kind, path)) => {
            let file = ReportFile::open(path).map_err(|source| failed(path, source))?;
            Some((kind, path, file))
        }
        None => None,
    };
    let outline = Outline::new(options, now_ms())?;
    for note in &outline.notes {
        tracing::warn!("{note}");
    }
    if verbosity == Verbosity::Normal && (options.sample.is_some() || picture.is_some()) {
        print_status(&outline.summary());
    }
    if let Some(count) = options.sample {
        sample::print(&outline.manifest, count, stop)?;
        return Ok(ending(stop));
    }
    let shape = Shape::of(&outline.manifest, stop)?;
    if stop.is_set() {
        return Ok(ExitCode::Interrupted);
    }
    match picture {
        None => stdout::print(&terminal::draw(&outline, &shape, look()))?,
        Some((kind, path, file)) => {
            let text = match kind {
                Kind::Svg => picture::svg(&outline, &shape),
                Kind::Html => picture::html(&outline, &shape),
            };
            file.write_text(&text).map_err(|source| failed(path, source))?;
            if verbosity == Verbosity::Normal {
                print_status(&format!("Wrote {}.", path.display()));
            }
        }
    }
    Ok(ExitCode::Done)
}

/// What a picture is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Svg,
    Html,
}

impl Kind {
    fn of(path: &Path) -> Result<Kind, ProgramError> {
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("svg") => Ok(Kind::Svg),
            Some("html") => Ok(Kind::Html),
            _ => Err(ProgramError::Usage(format!(
                "--out {}: a picture's name ends in .svg or .html, which decides how it is written",
                path.display()
            ))),
        }
    }
}

fn ending(stop: &StopFlag) -> ExitCode {
    if stop.is_set() { ExitCode::Interrupted } else { ExitCode::Done }
}

fn look() -> Look {
    let is_terminal = io::stdout().is_terminal();
    let size = if is_terminal { terminal_size::terminal_size() } else { None };
    Look {
        width: size.map_or(WIDTH, |(width, _)| usize::from(width.0)),
        colour: output::coloured(is_terminal),
    }
}
