//! Lines drawn in characters: plots in braille dots, and sparklines.

/// A plot of `values` in `height` rows, the topmost first. A character shows two values. The range is
/// from `least` to `most`.
pub fn plot(values: &[Option<f64>], height: usize, least: f64, most: f64) -> Vec<String> {
    let levels = height * 4;
    let width = values.len().div_ceil(2);
    let mut cells = vec![vec![0u8; width]; height];
    let level = |value: f64| {
        let share = (value - least) / (most - least).max(f64::MIN_POSITIVE);
        ((share * levels as f64) as usize).min(levels.saturating_sub(1))
    };
    let mut before: Option<usize> = None;
    for (x, value) in values.iter().enumerate() {
        let now = value.map(level);
        if let Some(now) = now {
            // Fill the gap, so that steep lines stay connected.
            let from = match before {
                Some(before) if before + 1 < now => before + 1,
                Some(before) if before > now + 1 => before - 1,
                _ => now,
            };
            for level in from.min(now)..=from.max(now) {
                let y = levels - 1 - level;
                cells[y / 4][x / 2] |= DOTS[x % 2][y % 4];
            }
        }
        before = now;
    }
    let row = |row: Vec<u8>| row.into_iter().map(braille).collect();
    cells.into_iter().map(row).collect()
}

/// A sparkline of `values`, one per character. The range is from `least` to `most`.
pub fn spark(values: &[Option<f64>], least: f64, most: f64) -> String {
    let bar = |value: f64| {
        let share = (value - least) / (most - least).max(f64::MIN_POSITIVE);
        BARS[((share * BARS.len() as f64) as usize).min(BARS.len() - 1)]
    };
    values.iter().map(|value| value.map_or(' ', bar)).collect()
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The bits of a braille character's dots, by column, from the top.
const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

fn braille(dots: u8) -> char {
    char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_rise_to_the_right_where_values_do() {
        let values: Vec<Option<f64>> = (0..8).map(|i| Some(f64::from(i))).collect();
        assert_eq!(plot(&values, 2, 0.0, 8.0), ["⠀⠀⡠⠊", "⡠⠊⠀⠀"]);
        assert_eq!(plot(&[None, Some(99.0)], 1, 0.0, 1.0), ["⠈"]);
    }

    #[test]
    fn sparklines_span_their_range_and_leave_gaps() {
        assert_eq!(spark(&[Some(0.0), None, Some(0.5), Some(1.0)], 0.0, 1.0), "▁ ▅█");
        assert_eq!(spark(&[Some(3.0)], 3.0, 3.0), "▁");
    }
}
