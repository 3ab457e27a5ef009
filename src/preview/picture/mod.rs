//! A run's shape as a picture: an SVG dashboard, alone or in an HTML page.

mod graph;
mod machines;
pub mod panel;

use svg::Document;
use svg::node::element::{Group, Title};

use super::incidents;
use super::outline::Outline;
use super::series::Line;
use super::shape::Shape;

use graph::Layout;
use panel::Panel;

use crate::chart::axis::{length, plain};
use crate::chart::palette;
use crate::chart::shapes::{Area, CHARACTER, rectangle, text};

const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 24.0;
const GAP: f64 = 12.0;
const INNER: f64 = WIDTH - 2.0 * MARGIN;
/// Most characters of the name of a zone or region.
const NAME: usize = 18;

/// The picture.
pub fn svg(outline: &Outline, shape: &Shape) -> String {
    let mut page = Page { group: Group::new(), y: MARGIN };
    page.heading(outline, shape);
    page.load(shape);
    page.places(shape);
    page.figures(shape);
    page.machines(shape);
    page.cascade(shape);
    page.footer(outline);
    let height = page.y + MARGIN / 2.0;
    let whole = Area { x: 0.0, y: 0.0, width: WIDTH, height };
    let document = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("font-family", palette::FONT)
        .add(Title::new(format!("{}: {}", outline.title(), outline.summary())))
        .add(machines::definitions())
        .add(graph::definitions())
        .add(rectangle(whole, "#ffffff"))
        .add(page.group);
    format!("{document}\n")
}

/// The picture in an HTML page.
pub fn html(outline: &Outline, shape: &Shape) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{title} - fleetstorm</title>\n\
         <meta name=\"description\" content=\"{summary}\"/>\n\
         <style>body {{ margin: 0 auto; max-width: {WIDTH}px; background: #fff; }} \
         svg {{ width: 100%; height: auto; }}</style>\n</head>\n<body>\n{picture}</body>\n</html>\n",
        title = outline.title(),
        summary = outline.summary(),
        picture = svg(outline, shape),
    )
}

struct Page {
    group: Group,
    /// Where the next row begins.
    y: f64,
}

impl Page {
    fn add(&mut self, part: impl Into<Box<dyn svg::node::Node>>) {
        self.group = std::mem::take(&mut self.group).add(part);
    }

    /// Text, wrapped to the width of the page.
    fn words(&mut self, size: f64, colour: &str, content: &str) {
        let most = (INNER / (size * CHARACTER)) as usize;
        let mut line = String::new();
        for word in content.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > most {
                self.text_line(size, colour, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.text_line(size, colour, &line);
    }

    fn text_line(&mut self, size: f64, colour: &str, line: &str) {
        self.y += size * 1.45;
        self.add(text(MARGIN, self.y - size * 0.35, size, colour, line));
    }

    fn heading(&mut self, outline: &Outline, shape: &Shape) {
        let title = outline.title();
        self.y += 26.0;
        self.add(text(MARGIN, self.y, 24.0, palette::INK, title).set("font-weight", 700));
        self.y += 8.0;
        if !outline.description.is_empty() {
            self.words(14.0, palette::INK, outline.description);
        }
        self.words(13.0, palette::FAINT, &outline.summary());
        let counts = incidents::counts(&shape.incidents);
        let counts: Vec<String> = counts
            .iter()
            .map(|(kind, count)| format!("{count} {}", kind.as_str().replace('_', " ")))
            .collect();
        let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
        self.words(13.0, palette::FAINT, &format!("Incidents: {counts}"));
        self.y += GAP;
    }

    fn load(&mut self, shape: &Shape) {
        let lines = [&shape.fleet.cpu, &shape.fleet.memory, &shape.fleet.disk];
        let area = Area { x: MARGIN, y: self.y, width: INNER, height: 230.0 };
        let most = lines.iter().filter_map(|line| line.range()).map(|range| range.1);
        let panel = Panel::new(area, shape.columns, (0.0, most.fold(10.0, f64::max)));
        self.add(several(&panel, "Fleet load, mean of the machines that are up", &lines));
        self.y += area.height + GAP;
    }

    /// Mean cpu by zone and by region, where there are several.
    fn places(&mut self, shape: &Shape) {
        let groups = [("Cpu by zone", &shape.zones), ("Cpu by region", &shape.regions)];
        let groups: Vec<_> = groups.into_iter().filter(|(_, lines)| lines.len() > 1).collect();
        for (at, (title, lines)) in groups.iter().enumerate() {
            let area = self.cell(at, groups.len(), 170.0);
            let lines: Vec<&Line> = lines.iter().take(palette::LINES.len()).collect();
            let range = lines.iter().filter_map(|line| line.range());
            let range = range.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0.0, 1.0));
            let panel = Panel::new(area, shape.columns, range);
            self.add(several(&panel, title, &lines));
        }
        if !groups.is_empty() {
            self.y += 170.0 + GAP;
        }
    }

    /// The fleet's incidents, if any, and its other figures, three per row.
    fn figures(&mut self, shape: &Shape) {
        let lines = &shape.fleet;
        let incidents = [
            (&lines.anomalies, "Machines in an anomaly", palette::LINES[1]),
            (&lines.down, "Machines down", palette::FAILED[0]),
            (&lines.others[0], "Machines in maintenance", palette::LINES[2]),
            (&lines.others[1], "Machines degraded", "#8c6d46"),
            (&lines.others[2], "Machines with zone trouble", "#8080b0"),
        ];
        let mut cells: Vec<(&Line, &str, &str, bool)> = incidents
            .into_iter()
            .filter(|(line, ..)| line.has_values())
            .map(|(line, title, colour)| (line, title, colour, true))
            .collect();
        cells.extend([
            (&lines.latency, "Response time p99, mean", palette::LINES[3], false),
            (&lines.network, "Traffic of a machine, mean", palette::LINES[0], false),
            (&lines.jobs, "Jobs started", palette::LINES[5], true),
        ]);
        let rows = cells.len().div_ceil(3);
        let mut rest = cells.as_slice();
        for left in (1..=rows).rev() {
            let (row, others) = rest.split_at(rest.len().div_ceil(left));
            rest = others;
            for (at, (line, title, colour, from_zero)) in row.iter().enumerate() {
                let (least, most) = line.range().unwrap_or((0.0, 1.0));
                let range = if *from_zero { (0.0, most) } else { (least, most) };
                let panel = Panel::new(self.cell(at, row.len(), 150.0), shape.columns, range);
                let unit = if line.unit == "machines" { "" } else { line.unit };
                self.add(panel.frame(title, unit, &[]));
                if *from_zero {
                    self.add(panel.area(line, colour));
                } else {
                    self.add(panel.line(line, colour));
                }
            }
            self.y += 150.0 + GAP;
        }
    }

    fn machines(&mut self, shape: &Shape) {
        if shape.detail.machines.is_empty() {
            return;
        }
        self.y += GAP;
        let incidents = if shape.incidents.is_empty() { "" } else { " and their incidents" };
        let part = shape.detail.part(&shape.columns).map_or(String::new(), |p| format!(", {p}"));
        let title = format!("Single machines{incidents}{part}");
        self.add(text(MARGIN, self.y + 14.0, 16.0, palette::INK, &title).set("font-weight", 600));
        self.y += 38.0;
        let (legend, height) = machines::legend(shape, MARGIN, self.y, INNER);
        self.add(legend);
        self.y += height - GAP;
        for first in (0..shape.detail.machines.len()).step_by(3) {
            let count = (shape.detail.machines.len() - first).min(3);
            for at in 0..count {
                self.add(machines::machine(shape, first + at, self.cell(at, 3, 150.0)));
            }
            self.y += 150.0 + GAP;
        }
    }

    fn cascade(&mut self, shape: &Shape) {
        let Some(cascade) = &shape.cascade else { return };
        let layout = Layout::new(cascade);
        let last = cascade.members.iter().filter_map(|m| m.failed).map(|f| f.after_ms).max();
        self.y += GAP;
        let title = format!(
            "Largest cascade: {} of the {} machines of dependency group {} failed within {}",
            cascade.failed(),
            cascade.members.len(),
            cascade.group,
            length(last.unwrap_or(0))
        );
        self.add(text(MARGIN, self.y + 14.0, 16.0, palette::INK, &title).set("font-weight", 600));
        let begun = chrono::DateTime::from_timestamp_millis(cascade.start_ms)
            .map(|instant| instant.format("%Y-%m-%d %H:%M:%S UTC").to_string());
        let caption = format!(
            "From {}. Arrows lead from a machine to those that depend on it; failures spread along the red ones. The darker a machine, the earlier it failed.",
            begun.unwrap_or_default()
        );
        self.y += 20.0;
        self.words(12.0, palette::FAINT, &caption);
        self.y += GAP;
        let height = layout.picture_height();
        let area = Area { x: MARGIN, y: self.y, width: INNER, height };
        self.add(graph::draw(cascade, &layout, area));
        self.y += height + GAP;
    }

    fn footer(&mut self, outline: &Outline) {
        let version = &outline.manifest.fleetstorm;
        let footer = format!("fleetstorm {version} preview, times in UTC");
        self.y += 4.0;
        self.words(11.0, palette::FAINT, &footer);
    }

    fn cell(&self, at: usize, of: usize, height: f64) -> Area {
        let width = (INNER - GAP * (of as f64 - 1.0)) / of as f64;
        Area { x: MARGIN + at as f64 * (width + GAP), y: self.y, width, height }
    }
}

/// Lines of one panel, each in its colour.
fn several(panel: &Panel, title: &str, lines: &[&Line]) -> Group {
    let names: Vec<String> = lines.iter().map(|line| plain(&line.name, NAME)).collect();
    let legend: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(palette::LINES).collect();
    let unit = lines.first().map_or("", |line| line.unit);
    let frame = panel.frame(title, unit, &legend);
    lines
        .iter()
        .zip(palette::LINES)
        .fold(frame, |g, (line, colour)| g.add(panel.line(line, colour)))
}
