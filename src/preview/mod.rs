//! `fleetstorm preview`: what a run's fleet does over time, without a broker. It is drawn in the terminal
//! or as a picture; a sample of the records can be printed instead.

pub mod braille;
pub mod cascade;
pub mod detail;
pub mod incidents;
pub mod outline;
pub mod picture;
pub mod sample;
pub mod series;
pub mod shape;
pub mod terminal;
pub mod walk;

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
use terminal::Style;

/// The width of a drawing where standard output is no terminal, in characters.
const WIDTH: usize = 100;

/// Shows the run that `options` describe. Where `stop` is set, it ends early and shows nothing.
///
/// # Errors
/// [`ProgramError`] if the options describe no run, or the output can't be written. Standard output that
/// was closed is no error.
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
        None => stdout::print(&terminal::draw(&outline, &shape, style()))?,
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

/// The format of a picture.
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
                "--out {}: the picture's format is not known, end the file's name in .svg or .html",
                path.display()
            ))),
        }
    }
}

fn ending(stop: &StopFlag) -> ExitCode {
    if stop.is_set() { ExitCode::Interrupted } else { ExitCode::Done }
}

fn style() -> Style {
    let is_terminal = io::stdout().is_terminal();
    let size = if is_terminal { terminal_size::terminal_size() } else { None };
    Style {
        width: size.map_or(WIDTH, |(width, _)| usize::from(width.0)),
        colour: output::coloured(is_terminal),
    }
}
