//! The dependency graph of the group with the largest cascade.

use svg::node::element::path::Data;
use svg::node::element::{Definitions, Group, Marker, Path};

use crate::chart::axis::length;
use crate::chart::palette;
use crate::chart::shapes::{Area, rectangle, tenth, text};
use crate::preview::cascade::{Cascade, Failed};

const ROW: f64 = 52.0;
const NODE: (f64, f64) = (96.0, 36.0);

/// Where a graph's members are: in levels from left to right, dependencies first.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Each member's level.
    pub levels: Vec<usize>,
    /// Each member's row in its level.
    pub rows: Vec<f64>,
    /// The number of levels.
    pub width: usize,
    /// The rows of the fullest level.
    pub height: usize,
    /// The rows at which each edge crosses the levels between its ends.
    bends: Vec<((usize, usize), Vec<f64>)>,
}

impl Layout {
    /// The layout of `cascade`.
    pub fn new(cascade: &Cascade) -> Layout {
        let members = &cascade.members;
        let mut levels: Vec<usize> = Vec::with_capacity(members.len());
        for member in members {
            // Members depend on earlier ones only.
            let before = member.depends_on.iter().filter_map(|&on| levels.get(on)).max();
            levels.push(before.map_or(0, |level| level + 1));
        }
        // An edge takes a place in each level that it crosses, so that it meets no node.
        let width = levels.iter().max().map_or(1, |most| most + 1);
        let mut order: Vec<Vec<Item>> = vec![Vec::new(); width];
        let mut chains: Vec<((usize, usize), Vec<usize>)> = Vec::new();
        for (at, member) in members.iter().enumerate() {
            order[levels[at]].push(Item { parents: Vec::new(), member: Some(at) });
            for &on in &member.depends_on {
                chains.push(((on, at), Vec::new()));
            }
        }
        let place = |order: &[Vec<Item>], member: usize, level: usize| {
            order[level].iter().position(|item| item.member == Some(member)).unwrap_or(0)
        };
        for ((from, to), chain) in &mut chains {
            let mut before = place(&order, *from, levels[*from]);
            for level in order.iter_mut().take(levels[*to]).skip(levels[*from] + 1) {
                level.push(Item { parents: vec![before], member: None });
                before = level.len() - 1;
                chain.push(before);
            }
            let end = place(&order, *to, levels[*to]);
            order[levels[*to]][end].parents.push(before);
        }
        let height = order.iter().map(Vec::len).max().unwrap_or(1);
        let rows = arranged(&order, height);
        let of = |member: usize| {
            let level = levels[member];
            rows[level][place(&order, member, level)]
        };
        let bends = chains
            .into_iter()
            .map(|(edge, chain)| {
                let first = levels[edge.0] + 1;
                (edge, chain.iter().enumerate().map(|(i, &at)| rows[first + i][at]).collect())
            })
            .collect();
        Layout { rows: (0..members.len()).map(of).collect(), levels, width, height, bends }
    }

    /// The height of its picture.
    pub fn picture_height(&self) -> f64 {
        self.height as f64 * ROW
    }
}

/// A member, or where an edge crosses a level. `parents` are the places of what leads to it in the level
/// before.
#[derive(Debug, Clone)]
struct Item {
    parents: Vec<usize>,
    member: Option<usize>,
}

/// The rows of all items. Each level is in the order of its items' mean parent row, evenly spaced.
fn arranged(order: &[Vec<Item>], height: usize) -> Vec<Vec<f64>> {
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for level in order {
        let before = rows.last();
        let pull = |item: &Item| {
            let of = |&parent: &usize| before.and_then(|rows| rows.get(parent)).copied();
            let found: Vec<f64> = item.parents.iter().filter_map(of).collect();
            if found.is_empty() { 0.0 } else { found.iter().sum::<f64>() / found.len() as f64 }
        };
        let mut sorted: Vec<usize> = (0..level.len()).collect();
        sorted.sort_by(|&a, &b| pull(&level[a]).total_cmp(&pull(&level[b])));
        let step = height as f64 / level.len().max(1) as f64;
        let mut places = vec![0.0; level.len()];
        for (rank, at) in sorted.into_iter().enumerate() {
            places[at] = (rank as f64 + 0.5) * step - 0.5;
        }
        rows.push(places);
    }
    rows
}

/// The heads of arrows: one for failures that spread, one for dependencies.
pub fn definitions() -> Definitions {
    let head = |id: &str, colour: &str| {
        Marker::new()
            .set("id", id)
            .set("viewBox", "0 0 8 8")
            .set("refX", 7)
            .set("refY", 4)
            .set("markerWidth", 8)
            .set("markerHeight", 8)
            .set("markerUnits", "userSpaceOnUse")
            .set("orient", "auto")
            .add(Path::new().set("d", "M0 0 8 4 0 8z").set("fill", colour))
    };
    Definitions::new().add(head("passed", palette::FAILED[1])).add(head("depends", EDGE))
}

const EDGE: &str = "#aeb7c1";

/// The picture of the graph in `area`.
pub fn draw(cascade: &Cascade, layout: &Layout, area: Area) -> Group {
    let step = area.width / layout.width as f64;
    let node = (NODE.0.min(step * 0.72), NODE.1);
    let x = |level: usize| area.x + (level as f64 + 0.5) * step;
    let y = |row: f64| area.y + (row + 0.5) * ROW;
    let mut group = Group::new();
    let mut passed = Group::new();
    for ((from, to), bends) in &layout.bends {
        let is_cause =
            cascade.members[*to].failed.is_some_and(|failed| failed.cause == Some(*from));
        let level = layout.levels[*from];
        let mut points = vec![(x(level) + node.0 / 2.0, y(layout.rows[*from]))];
        for (i, &row) in bends.iter().enumerate() {
            // Level where it passes nodes.
            let middle = x(level + 1 + i);
            points.push((middle - node.0 / 2.0, y(row)));
            points.push((middle + node.0 / 2.0, y(row)));
        }
        points.push((x(layout.levels[*to]) - node.0 / 2.0, y(layout.rows[*to])));
        let path = Path::new().set("d", curve(&points)).set("fill", "none");
        let (colour, width, head) =
            if is_cause { (palette::FAILED[1], 2.2, "passed") } else { (EDGE, 1.2, "depends") };
        let path = path
            .set("stroke", colour)
            .set("stroke-width", width)
            .set("marker-end", format!("url(#{head})"));
        if is_cause { passed = passed.add(path) } else { group = group.add(path) }
    }
    group = group.add(passed);
    for (at, member) in cascade.members.iter().enumerate() {
        let (left, top) = (x(layout.levels[at]) - node.0 / 2.0, y(layout.rows[at]) - node.1 / 2.0);
        let box_ = Area { x: left, y: top, width: node.0, height: node.1 };
        group = group.add(labelled(box_, member.machine, member.failed, cascade.failed()));
    }
    group
}

fn labelled(area: Area, machine: u32, failed: Option<Failed>, of: usize) -> Group {
    let fill = failed.map_or("#ffffff", |failed| shade(failed.order, of));
    let is_dark = failed.is_some_and(|f| shade(f.order, of) <= palette::FAILED[2]);
    let ink = if is_dark { "#ffffff" } else { palette::INK };
    let size = (area.width / 8.0).min(12.0);
    let middle = area.x + area.width / 2.0;
    let line = |y: f64, size: f64, content: &str| {
        text(middle, area.y + y, size, ink, content).set("text-anchor", "middle")
    };
    let note = failed.map(|failed| match failed.after_ms {
        0 if failed.order == 0 => "failed first".to_owned(),
        after => format!("+{}", length(after)),
    });
    let name = format!("machine {machine}");
    let frame = rectangle(area, fill)
        .set("rx", 5)
        .set("stroke", if failed.is_some() { palette::FAILED[0] } else { EDGE });
    let group = Group::new().add(frame);
    match note {
        Some(note) => group.add(line(15.0, size, &name).set("font-weight", 600)).add(line(
            29.0,
            size - 1.0,
            &note,
        )),
        None => group.add(line(22.0, size, &name)),
    }
}

/// The colour of failure number `order` of `of`.
fn shade(order: usize, of: usize) -> &'static str {
    let last = palette::FAILED.len() - 1;
    palette::FAILED[(order * last).div_ceil(of.saturating_sub(1).max(1)).min(last)]
}

/// A smooth line that is level at its points.
fn curve(points: &[(f64, f64)]) -> Data {
    let mut data = Data::new();
    for (i, &(x, y)) in points.iter().enumerate() {
        let (x, y) = (tenth(x), tenth(y));
        match i.checked_sub(1).map(|before| points[before]) {
            None => data = data.move_to((x, y)),
            Some((from, level)) => {
                let middle = tenth(f64::midpoint(from, x));
                data = data.cubic_curve_to((middle, tenth(level), middle, y, x, y));
            }
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preview::cascade::Member;

    #[test]
    fn members_stand_behind_what_they_depend_on_and_apart() {
        let on: [&[usize]; 6] = [&[], &[0], &[0], &[1, 0], &[3, 2], &[0]];
        let member = |(machine, on): (usize, &&[usize])| Member {
            machine: machine as u32,
            depends_on: on.to_vec(),
            failed: None,
        };
        let members = on.iter().enumerate().map(member).collect();
        let layout = Layout::new(&Cascade { group: 0, start_ms: 0, members });
        assert_eq!(layout.levels, [0, 1, 1, 2, 3, 1]);
        for a in 0..6 {
            assert!(layout.rows[a] >= -0.5 && layout.rows[a] < layout.height as f64);
            for b in 0..a {
                let apart = (layout.rows[a] - layout.rows[b]).abs();
                assert!(layout.levels[a] != layout.levels[b] || apart >= 0.99);
            }
        }
    }
}
