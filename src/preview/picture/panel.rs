//! A panel: a frame with axes, and lines in it.

use svg::node::element::path::Data;
use svg::node::element::{Group, Line as Stroke, Path, Rectangle, Text};

use super::palette;
use crate::preview::axis::{self, number, times};
use crate::preview::series::{Columns, Line};

/// The width of a character of text of `size`, on average.
pub const CHARACTER: f64 = 0.57;
const TICK_SIZE: f64 = 11.0;
const LEGEND_SIZE: f64 = 11.0;

/// A rectangle of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Its left edge.
    pub x: f64,
    /// Its upper edge.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

/// A panel over the run's time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Panel {
    /// Where lines are, inside the axes.
    pub plot: Area,
    low: f64,
    high: f64,
    step: f64,
    columns: Columns,
}

/// What is above and left of the plot inside a panel's area, and below and right of it.
const ABOVE: f64 = 30.0;
const LEFT: f64 = 44.0;
const BELOW: f64 = 22.0;
const RIGHT: f64 = 12.0;

impl Panel {
    /// A panel in `area` for values from `least` to `most`.
    pub fn new(area: Area, columns: Columns, (least, most): (f64, f64)) -> Panel {
        let plot = Area {
            x: area.x + LEFT,
            y: area.y + ABOVE,
            width: area.width - LEFT - RIGHT,
            height: area.height - ABOVE - BELOW,
        };
        let (low, high, step) = axis::values(least, most, ((plot.height / 28.0) as usize).max(2));
        Panel { plot, low, high, step, columns }
    }

    /// Where an instant is, inside the plot.
    pub fn x(&self, ms: f64) -> f64 {
        let (start, end) = self.columns.span_ms();
        let share = (ms - start) / (end - start);
        tenth(self.plot.x + share.clamp(0.0, 1.0) * self.plot.width)
    }

    /// Where a value is, inside the plot.
    pub fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        tenth(self.plot.y + (1.0 - share.clamp(0.0, 1.0)) * self.plot.height)
    }

    /// Title, unit, grid and axes; the title may name the lines' colours.
    pub fn frame(&self, title: &str, unit: &str, legend: &[(&str, &str)]) -> Group {
        let Area { x, y, width, height } = self.plot;
        let mut group = Group::new().add(rectangle(self.plot, palette::PANEL));
        let heading = if unit.is_empty() { title.to_owned() } else { format!("{title}, {unit}") };
        group = group.add(text(x, y - 10.0, 13.0, palette::INK, &heading).set("font-weight", 600));
        group = group.add(self.legend(x + heading.chars().count() as f64 * 8.0 + 14.0, legend));
        let marks = ((self.high - self.low) / self.step).round() as usize;
        for mark in 0..=marks {
            let value = self.low + self.step * mark as f64;
            let at = self.y(value);
            group = group.add(stroke((x, at), (x + width, at), palette::GRID)).add(
                text(x - 6.0, at + 4.0, TICK_SIZE, palette::FAINT, &number(value))
                    .set("text-anchor", "end"),
            );
        }
        let (start, end) = self.columns.span_ms();
        for mark in times(start, end, (width / 62.0) as usize) {
            let at = self.x(mark.ms as f64);
            let bottom = y + height;
            group = group.add(stroke((at, y), (at, bottom + 4.0), palette::GRID)).add(
                text(at, bottom + 16.0, TICK_SIZE, palette::FAINT, &mark.label)
                    .set("text-anchor", "middle"),
            );
        }
        group
    }

    /// Names in their lines' colours, along the title, as many as there is room for.
    fn legend(&self, mut x: f64, entries: &[(&str, &str)]) -> Group {
        let y = self.plot.y - 10.0;
        let mut group = Group::new();
        for (shown, (name, colour)) in entries.iter().enumerate() {
            let width = 14.0 + characters(name) * LEGEND_SIZE * CHARACTER + 12.0;
            let left = entries.len() - shown;
            let room = self.plot.x + self.plot.width - x;
            if width > room || (left > 1 && room < width + 20.0) {
                let rest = format!("+{left}");
                return group.add(text(x, y, LEGEND_SIZE, palette::FAINT, &rest));
            }
            group = group
                .add(stroke((x, y - 4.0), (x + 10.0, y - 4.0), colour).set("stroke-width", 3))
                .add(text(x + 14.0, y, LEGEND_SIZE, palette::INK, name));
            x += width;
        }
        group
    }

    /// A line.
    pub fn line(&self, line: &Line, colour: &str) -> Path {
        let mut data = Data::new();
        let mut is_open = false;
        for (column, value) in line.values.iter().enumerate() {
            match value {
                None => is_open = false,
                Some(value) => {
                    let at = (self.x(self.columns.middle_ms(column)), self.y(*value));
                    data = if is_open { data.line_to(at) } else { data.move_to(at) };
                    is_open = true;
                }
            }
        }
        Path::new()
            .set("d", data)
            .set("fill", "none")
            .set("stroke", colour)
            .set("stroke-width", 1.6)
            .set("stroke-linejoin", "round")
            .set("stroke-linecap", "round")
    }

    /// The area under a line, a step a column.
    pub fn area(&self, line: &Line, colour: &str) -> Path {
        let base = self.y(self.low);
        let mut data = Data::new().move_to((self.plot.x, base));
        for (column, value) in line.values.iter().enumerate() {
            let at = self.y(value.unwrap_or(self.low));
            let (left, right) = (self.columns.edge_ms(column), self.columns.edge_ms(column + 1));
            data = data.line_to((self.x(left), at)).line_to((self.x(right), at));
        }
        let data = data.line_to((tenth(self.plot.x + self.plot.width), base)).close();
        Path::new().set("d", data).set("fill", colour).set("fill-opacity", 0.75)
    }
}

/// How many characters of average width are as wide as `text`.
fn characters(text: &str) -> f64 {
    text.chars().map(|c| if matches!(c, 'm' | 'w' | 'M' | 'W') { 1.6 } else { 1.0 }).sum()
}

/// Rounded to a tenth, which keeps pictures small.
pub fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Text.
pub fn text(x: f64, y: f64, size: f64, colour: &str, content: &str) -> Text {
    Text::new(content)
        .set("x", tenth(x))
        .set("y", tenth(y))
        .set("font-size", size)
        .set("fill", colour)
}

/// A filled rectangle.
pub fn rectangle(area: Area, colour: &str) -> Rectangle {
    Rectangle::new()
        .set("x", tenth(area.x))
        .set("y", tenth(area.y))
        .set("width", tenth(area.width))
        .set("height", tenth(area.height))
        .set("fill", colour)
}

/// A straight line.
pub fn stroke(from: (f64, f64), to: (f64, f64), colour: &str) -> Stroke {
    Stroke::new()
        .set("x1", tenth(from.0))
        .set("y1", tenth(from.1))
        .set("x2", tenth(to.0))
        .set("y2", tenth(to.1))
        .set("stroke", colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_value_and_instant_is_inside_the_plot() {
        let columns = Columns::new(0, Duration::from_secs(60), 1000);
        let area = Area { x: 10.0, y: 20.0, width: 400.0, height: 200.0 };
        for range in [(0.0, 100.0), (17.0, 17.0), (-3.0, 0.02)] {
            let panel = Panel::new(area, columns, range);
            let Area { x, y, width, height } = panel.plot;
            for i in -5..200 {
                let share = f64::from(i) / 100.0;
                let at = panel.x(share * 60_000_000.0);
                assert!((x..=x + width).contains(&at));
                let at = panel.y(range.0 + share * (range.1 - range.0));
                assert!((y..=y + height).contains(&at));
            }
        }
    }
}
