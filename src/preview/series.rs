//! The run's time in columns, and values collected by column.

use std::time::Duration;

/// The columns of a run's rounds of readings. Each has whole rounds, and their numbers differ by one at
/// most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Columns {
    /// The run's start, in milliseconds since the epoch.
    pub start_ms: i64,
    /// Readings of each machine.
    pub readings: u64,
    /// The number of columns.
    pub count: usize,
    interval_ms: f64,
}

/// A named line over the columns. A value is `None` if nothing was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it shows.
    pub name: String,
    /// The unit of its values.
    pub unit: &'static str,
    /// One value per column.
    pub values: Vec<Option<f64>>,
}

/// Sums and counts of values by column.
#[derive(Debug, Clone)]
pub struct Sums(Vec<(f64, u64)>);

const FEWEST: u64 = 120;
const MOST: u64 = 240;
const USUAL: u64 = 200;
const DAY_MS: u128 = 86_400_000;

impl Columns {
    /// The columns of `readings` rounds from `start_ms` on, one every `interval`: 120 to 240 columns, or
    /// fewer where there are fewer rounds.
    pub fn new(start_ms: i64, interval: Duration, readings: u64) -> Columns {
        let even = || (FEWEST..=MOST).rev().filter(|count| readings.is_multiple_of(*count));
        // If days began in the middle of a column, daily curves would seem to change over weeks.
        let is_part_of_day = |count: &u64| {
            let column = interval.as_millis() * u128::from(readings / count);
            column > 0 && DAY_MS.is_multiple_of(column)
        };
        let even = even().find(is_part_of_day).or_else(|| even().next());
        let count = even.unwrap_or(USUAL).min(readings).max(1) as usize;
        Columns { start_ms, readings, count, interval_ms: interval.as_secs_f64() * 1000.0 }
    }

    /// The columns of `readings` of these rounds, from round `first` on.
    pub fn part(&self, interval: Duration, first: u64, readings: u64) -> Columns {
        let start_ms = self.start_ms as f64 + first as f64 * self.interval_ms;
        Columns::new(start_ms as i64, interval, readings)
    }

    /// The column of a round.
    #[inline]
    pub fn of_round(&self, round: u64) -> usize {
        let column = u128::from(round) * self.count as u128 / u128::from(self.readings.max(1));
        (column as usize).min(self.count - 1)
    }

    /// The column of an instant; `None` outside the run.
    pub fn of_time(&self, ms: i64) -> Option<usize> {
        let round = (ms - self.start_ms) as f64 / self.interval_ms;
        (round >= 0.0 && round < self.readings as f64).then(|| self.of_round(round as u64))
    }

    /// The number of rounds in a column.
    pub fn rounds(&self, column: usize) -> u64 {
        self.first_round(column + 1) - self.first_round(column)
    }

    /// When a column begins, in milliseconds since the epoch. [`Columns::count`] gives the end of the
    /// last column.
    pub fn edge_ms(&self, column: usize) -> f64 {
        self.start_ms as f64 + self.first_round(column) as f64 * self.interval_ms
    }

    /// The middle of a column, in milliseconds since the epoch.
    pub fn middle_ms(&self, column: usize) -> f64 {
        f64::midpoint(self.edge_ms(column), self.edge_ms(column + 1))
    }

    /// Start and end of the run, in milliseconds since the epoch.
    pub fn span_ms(&self) -> (f64, f64) {
        (self.edge_ms(0), self.edge_ms(self.count))
    }

    /// The length of a column in hours.
    pub fn hours(&self, column: usize) -> f64 {
        self.rounds(column) as f64 * self.interval_ms / 3_600_000.0
    }

    fn first_round(&self, column: usize) -> u64 {
        (column as u128 * u128::from(self.readings)).div_ceil(self.count as u128) as u64
    }
}

impl Line {
    /// The least and the largest value; `None` without any.
    pub fn range(&self) -> Option<(f64, f64)> {
        let values = self.values.iter().flatten();
        values.fold(None, |range, &v| {
            let (least, most) = range.unwrap_or((v, v));
            Some((f64::min(least, v), f64::max(most, v)))
        })
    }

    /// Whether any value differs from 0.
    pub fn has_values(&self) -> bool {
        self.values.iter().flatten().any(|&v| v != 0.0)
    }

    /// The values in `count` columns.
    pub fn resampled(&self, count: usize) -> Vec<Option<f64>> {
        let len = self.values.len();
        (0..count)
            .map(|i| {
                let from = i * len / count.max(1);
                let to = ((i + 1) * len / count.max(1)).max(from + 1).min(len);
                mean(self.values.get(from..to)?.iter().flatten().copied())
            })
            .collect()
    }
}

impl Sums {
    /// No values yet.
    pub fn new(columns: &Columns) -> Sums {
        Sums(vec![(0.0, 0); columns.count])
    }

    /// Adds a value.
    #[inline]
    pub fn add(&mut self, column: usize, value: f64) {
        let (sum, count) = &mut self.0[column];
        *sum += value;
        *count += 1;
    }

    /// The mean of each column.
    pub fn means(&self) -> Vec<Option<f64>> {
        self.0.iter().map(|&(sum, n)| (n > 0).then(|| sum / n as f64)).collect()
    }

    /// The sum of each column, multiplied by `factor` of the column.
    pub fn scaled(&self, factor: impl Fn(usize) -> f64) -> Vec<Option<f64>> {
        self.0.iter().enumerate().map(|(column, (sum, _))| Some(sum * factor(column))).collect()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_its_column_and_columns_have_as_many() {
        for readings in [1, 2, 119, 250, 600, 2880, 2017] {
            let columns = Columns::new(1000, Duration::from_secs(60), readings);
            assert!(columns.count as u64 <= readings && columns.count <= 240);
            let mut counts = vec![0; columns.count];
            (0..readings).for_each(|round| counts[columns.of_round(round)] += 1);
            for (column, &count) in counts.iter().enumerate() {
                assert_eq!(columns.rounds(column), count);
                assert!(count.abs_diff(readings / columns.count as u64) <= 1);
                let first = columns.edge_ms(column);
                assert_eq!(columns.of_time(first as i64), Some(column));
            }
            assert_eq!(columns.span_ms(), (1000.0, 1000.0 + readings as f64 * 60_000.0));
            assert_eq!(columns.of_time(999), None);
            assert_eq!(columns.of_time(1000 + 60_000 * readings as i64), None);
        }
    }

    #[test]
    fn means_and_sums_are_by_column() {
        let columns = Columns::new(0, Duration::from_secs(1), 2);
        let mut sums = Sums::new(&columns);
        [2.0, 4.0, 6.0].into_iter().for_each(|value| sums.add(0, value));
        assert_eq!(sums.means(), [Some(4.0), None]);
        assert_eq!(sums.scaled(|_| 0.5), [Some(6.0), Some(0.0)]);
        let values = vec![Some(1.0), Some(3.0), None, None];
        let line = Line { name: String::new(), unit: "", values };
        assert_eq!(line.range(), Some((1.0, 3.0)));
        assert_eq!(line.resampled(2), [Some(2.0), None]);
        assert_eq!(line.resampled(8)[..3], [Some(1.0), Some(1.0), Some(3.0)]);
    }
}
