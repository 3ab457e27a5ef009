//! The delays of a detector as a picture: of each kind of anomaly, how many episodes were detected how
//! soon, beside a detector that alarms as often at random.

use fleetstorm_answers::score::{Figures, Score};
use fleetstorm_model::simulation::incidents::IncidentKind;
use svg::Document;
use svg::node::element::path::Data;
use svg::node::element::{Group, Path, Title};

use super::figure_format::{interval, length, number, percent};
use super::report::ScoreReport;
use crate::chart::axis::{self, plain};
use crate::chart::palette;
use crate::chart::shapes::{Area, CHARACTER, rectangle, stroke, tenth, text};

const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 24.0;
const GAP: f64 = 22.0;
const INNER: f64 = WIDTH - 2.0 * MARGIN;
const HEIGHT: f64 = 264.0;
/// What is around a panel's plot.
const ABOVE: f64 = 46.0;
const BELOW: f64 = 42.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 8.0;
/// At so many delays a random detector's curve is computed.
const POINTS: i64 = 100;
const OWN: &str = palette::LINES[0];
const RANDOM: &str = palette::FAINT;
const MISSED: &str = "#f6ddd6";
const MISSED_INK: &str = "#a33a16";

impl ScoreReport {
    /// The picture of its delays, as SVG.
    pub fn picture(&self) -> String {
        svg(self)
    }
}

fn svg(report: &ScoreReport) -> String {
    let score = &report.score;
    let of_kind = |kind: IncidentKind| {
        let figures = score.kinds.iter().find(|figures| figures.kind == kind.as_str());
        figures.map(|figures| (kind, figures))
    };
    let panels: Vec<(IncidentKind, &Figures)> =
        IncidentKind::ANOMALIES.into_iter().filter_map(of_kind).collect();
    let (mut group, top) = heading(report);
    let columns = panels.len().clamp(2, if panels.len() == 4 { 2 } else { 3 });
    let width = (INNER - GAP * (columns - 1) as f64) / columns as f64;
    for (at, (kind, figures)) in panels.iter().enumerate() {
        let (column, row) = ((at % columns) as f64, (at / columns) as f64);
        let (x, y) = (MARGIN + column * (width + GAP), top + row * (HEIGHT + GAP));
        let area = Area { x, y, width, height: HEIGHT };
        group = group.add(Panel::new(score, *kind, figures, area).draw());
    }
    let rows = panels.len().div_ceil(columns) as f64;
    let bottom = top + rows * (HEIGHT + GAP);
    let footer = format!("fleetstorm {} score, delays in event time", env!("CARGO_PKG_VERSION"));
    group = group.add(text(MARGIN, bottom + 4.0, 11.0, palette::FAINT, &footer));
    let height = bottom + MARGIN / 2.0 + 8.0;
    let document = Document::new()
        .set("viewBox", (0, 0, WIDTH, tenth(height)))
        .set("width", WIDTH)
        .set("height", tenth(height))
        .set("font-family", palette::FONT)
        .add(Title::new(title(report)))
        .add(rectangle(Area { x: 0.0, y: 0.0, width: WIDTH, height }, "#ffffff"))
        .add(group);
    format!("{document}\n")
}

fn title(report: &ScoreReport) -> String {
    format!("{}: anomalies detected, and how soon", plain(&report.output, 60))
}

/// The heading with its legend, and where the panels begin.
fn heading(report: &ScoreReport) -> (Group, f64) {
    let Score { all, merged, false_alarms, random, .. } = &report.score;
    let mut y = MARGIN + 24.0;
    let title = text(MARGIN, y, 22.0, palette::INK, &title(report)).set("font-weight", 700);
    let mut group = Group::new().add(title);
    let lines = [
        format!(
            "{} of {} episodes detected: {} (95 % interval {}), at random {}",
            all.detected,
            all.episodes,
            percent(all.recall.value),
            interval(&all.recall),
            percent(all.recall.random)
        ),
        format!(
            "{} of its alarms are right, merged within {}, at random {}; {} false alarms per healthy machine-hour, at random {}",
            percent(merged.precision.value),
            length(Some(merged.gap_ms as f64)),
            percent(merged.precision.random),
            number(false_alarms.per_machine_hour.value),
            number(false_alarms.per_machine_hour.random)
        ),
    ];
    y += 4.0;
    for line in lines {
        y += 19.0;
        group = group.add(text(MARGIN, y, 13.0, palette::FAINT, &line));
    }
    y += 30.0;
    let random = format!(
        "alarms as often at random, at {} of readings (expected)",
        percent(Some(random.alarms_per_reading))
    );
    let mut x = MARGIN;
    let line = |x: f64, colour: &str| stroke((x, y - 4.0), (x + 26.0, y - 4.0), colour);
    for (entry, mark) in [("this detector", 0), (random.as_str(), 1), ("missed", 2)] {
        group = match mark {
            0 => group.add(line(x, OWN).set("stroke-width", 2.4)),
            1 => group.add(line(x, RANDOM).set("stroke-width", 1.4).set("stroke-dasharray", "5 4")),
            _ => group.add(rectangle(Area { x, y: y - 11.0, width: 26.0, height: 13.0 }, MISSED)),
        };
        group = group.add(text(x + 34.0, y, 12.0, palette::INK, entry));
        x += 34.0 + entry.chars().count() as f64 * 12.0 * CHARACTER + 26.0;
    }
    (group, y + 22.0)
}

/// The delays of one kind.
struct Panel<'a> {
    score: &'a Score,
    kind: IncidentKind,
    figures: &'a Figures,
    plot: Area,
    /// How long the axis of delays is, in milliseconds.
    longest_ms: f64,
}

impl<'a> Panel<'a> {
    fn new(score: &'a Score, kind: IncidentKind, figures: &'a Figures, area: Area) -> Panel<'a> {
        let plot = Area {
            x: area.x + LEFT,
            y: area.y + ABOVE,
            width: area.width - LEFT - RIGHT,
            height: area.height - ABOVE - BELOW,
        };
        let longest_ms = score.longest_ms(kind).max(1000) as f64;
        Panel { score, kind, figures, plot, longest_ms }
    }

    fn x(&self, ms: f64) -> f64 {
        tenth(self.plot.x + (ms / self.longest_ms).clamp(0.0, 1.0) * self.plot.width)
    }

    fn y(&self, part: f64) -> f64 {
        tenth(self.plot.y + (1.0 - part.clamp(0.0, 1.0)) * self.plot.height)
    }

    fn draw(&self) -> Group {
        let recall = self.figures.recall.value.unwrap_or(0.0);
        let missed = Area { height: self.y(recall) - self.plot.y, ..self.plot };
        Group::new()
            .add(rectangle(self.plot, palette::PANEL))
            .add(rectangle(missed, MISSED))
            .add(self.axes())
            .add(self.random())
            .add(self.own())
            .add(self.words())
    }

    /// Grid, marks and units.
    fn axes(&self) -> Group {
        let Area { x, y, width, height } = self.plot;
        let (right, bottom) = (x + width, y + height);
        let mut group = Group::new();
        for percent in [0, 25, 50, 75, 100] {
            let at = self.y(f64::from(percent) / 100.0);
            let label = format!("{percent} %");
            group = group.add(stroke((x, at), (right, at), palette::GRID)).add(
                text(x - 6.0, at + 4.0, 11.0, palette::FAINT, &label).set("text-anchor", "end"),
            );
        }
        let (unit_ms, unit) = match self.longest_ms {
            ms if ms <= 180_000.0 => (1000.0, "s"),
            ms if ms <= 3.0 * 3_600_000.0 => (60_000.0, "minutes"),
            ms if ms <= 3.0 * 86_400_000.0 => (3_600_000.0, "hours"),
            _ => (86_400_000.0, "days"),
        };
        let longest = self.longest_ms / unit_ms;
        let (_, _, step) = axis::values(0.0, longest, (width / 60.0) as usize);
        for mark in (0..).map(|mark| f64::from(mark) * step).take_while(|mark| *mark <= longest) {
            let at = self.x(mark * unit_ms);
            group = group.add(stroke((at, bottom), (at, bottom + 4.0), palette::FAINT)).add(
                text(at, bottom + 16.0, 11.0, palette::FAINT, &axis::number(mark))
                    .set("text-anchor", "middle"),
            );
        }
        let caption = format!("delay from the episode's begin, {unit}");
        group.add(stroke((x, bottom), (right, bottom), palette::FAINT)).add(
            text(x + width / 2.0, bottom + 33.0, 11.0, palette::FAINT, &caption)
                .set("text-anchor", "middle"),
        )
    }

    /// The part of the episodes that were detected within each delay.
    fn own(&self) -> Path {
        let of_kind = self.score.episodes_of(self.kind);
        let mut delays: Vec<i64> = of_kind.filter_map(|episode| episode.delay_ms).collect();
        delays.sort_unstable();
        let all = self.figures.episodes.max(1) as f64;
        let mut data = Data::new().move_to((self.x(0.0), self.y(0.0)));
        let (mut count, mut last) = (0, (self.x(0.0), self.y(0.0)));
        for same in delays.chunk_by(|a, b| a == b) {
            count += same.len();
            let at = (self.x(same[0] as f64), self.y(count as f64 / all));
            // Marks that would overlap are left out.
            if at != last {
                data = data.line_to((at.0, last.1)).line_to(at);
                last = at;
            }
        }
        data = data.line_to((self.x(self.longest_ms), last.1));
        line(data, OWN).set("stroke-width", 2.4)
    }

    /// The same of the random detector.
    fn random(&self) -> Path {
        let mut data = Data::new();
        for point in 0..=POINTS {
            let ms = self.longest_ms * point as f64 / POINTS as f64;
            let at = (self.x(ms), self.y(self.score.random_within(self.kind, ms as i64)));
            data = if point == 0 { data.move_to(at) } else { data.line_to(at) };
        }
        line(data, RANDOM).set("stroke-width", 1.4).set("stroke-dasharray", "5 4")
    }

    /// What it is of, and its figures.
    fn words(&self) -> Group {
        let Figures { detected, episodes, missed, delay_ms, recall, .. } = self.figures;
        let name = self.kind.as_str().replace('_', " ");
        let (x, y, right) = (self.plot.x, self.plot.y, self.plot.x + self.plot.width);
        let found = format!("{detected} of {episodes} detected");
        let delays = match delay_ms {
            Some(delays) => format!(
                "delay p50 {}, p90 {}, max {}",
                length(Some(delays.p50)),
                length(Some(delays.p90)),
                length(Some(delays.max))
            ),
            None => "none detected".to_owned(),
        };
        let mut group = Group::new()
            .add(text(x, y - 26.0, 14.0, palette::INK, &name).set("font-weight", 600))
            .add(text(right, y - 26.0, 12.0, palette::INK, &found).set("text-anchor", "end"))
            .add(text(x, y - 9.0, 12.0, palette::FAINT, &delays));
        // Where the band of those that were missed is high enough for a word.
        if self.y(recall.value.unwrap_or(0.0)) - y > 22.0 {
            let word = text(x + 8.0, y + 16.0, 11.0, MISSED_INK, &format!("{missed} missed"));
            // A curve may run behind it.
            let word = word.set("stroke", MISSED).set("stroke-width", 5);
            group = group.add(word.set("paint-order", "stroke"));
        }
        group
    }
}

fn line(data: Data, colour: &str) -> Path {
    Path::new()
        .set("d", data)
        .set("fill", "none")
        .set("stroke", colour)
        .set("stroke-linejoin", "round")
}
