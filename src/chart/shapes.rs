//! Text, rectangles and lines of a picture.

use svg::node::element::{Line, Rectangle, Text};

/// The mean width of a character, as a part of the text's size.
pub const CHARACTER: f64 = 0.57;

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

/// Rounds to a tenth, which keeps pictures small.
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
pub fn stroke(from: (f64, f64), to: (f64, f64), colour: &str) -> Line {
    Line::new()
        .set("x1", tenth(from.0))
        .set("y1", tenth(from.1))
        .set("x2", tenth(to.0))
        .set("y2", tenth(to.1))
        .set("stroke", colour)
}
