//! A panel: a frame with axes and lines.

use svg::node::element::path::Data;
use svg::node::element::{Group, Path};

use crate::chart::axis::{self, number, times};
use crate::chart::palette;
use crate::chart::shapes::{Area, CHARACTER, rectangle, stroke, tenth, text};
use crate::preview::series::{Columns, Line};

const TICK_SIZE: f64 = 11.0;
const LEGEND_SIZE: f64 = 11.0;

/// A panel over the run's time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Panel {
    /// The area of the lines, inside the axes.
    pub plot: Area,
    low: f64,
    high: f64,
    step: f64,
    columns: Columns,
}

/// The margins of the plot in its panel.
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

    /// The x of an instant, inside the plot.
    pub fn x(&self, ms: f64) -> f64 {
        let (start, end) = self.columns.span_ms();
        let share = (ms - start) / (end - start);
        tenth(self.plot.x + share.clamp(0.0, 1.0) * self.plot.width)
    }

    /// The y of a value, inside the plot.
    pub fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        tenth(self.plot.y + (1.0 - share.clamp(0.0, 1.0)) * self.plot.height)
    }

    /// Title, unit, grid and axes. `legend` has names and colours of lines; they stand beside the title.
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

    /// The names and colours of lines beside the title, as many as fit.
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

    /// The area under a line, with one step per column.
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

/// The width of `text` in mean characters.
fn characters(text: &str) -> f64 {
    text.chars().map(|c| if matches!(c, 'm' | 'w' | 'M' | 'W') { 1.6 } else { 1.0 }).sum()
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
