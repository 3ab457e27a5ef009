//! The largest cascade of a run, in its dependency group.

use std::collections::HashMap;

use fleetstorm_model::fleet::{Fleet, Groups};

use super::incidents::Incident;

/// A failure and the failures that it caused, in its dependency group.
#[derive(Debug, Clone, PartialEq)]
pub struct Cascade {
    /// The group's number.
    pub group: u32,
    /// When the first machine failed, in milliseconds since the epoch.
    pub start_ms: i64,
    /// The group's machines.
    pub members: Vec<Member>,
}

/// A machine of the group.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its number in the fleet.
    pub machine: u32,
    /// The members that it depends on.
    pub depends_on: Vec<usize>,
    /// Its failure; `None` if it stayed up.
    pub failed: Option<Failed>,
}

/// A failure of a member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failed {
    /// How long after the first failure, in milliseconds.
    pub after_ms: i64,
    /// Its rank among the failures, from 0.
    pub order: usize,
    /// The member whose failure caused it.
    pub cause: Option<usize>,
}

impl Cascade {
    /// How many machines failed.
    pub fn failed(&self) -> usize {
        self.members.iter().filter(|member| member.failed.is_some()).count()
    }
}

/// The first of the cascades with the most machines, at least two. `numbers` are the machines' numbers in
/// the fleet by their places in a round.
pub fn largest(incidents: &[Incident], fleet: &Fleet, numbers: &[u32]) -> Option<Cascade> {
    let mut trees: HashMap<usize, Vec<usize>> = HashMap::new();
    for (place, _) in incidents.iter().enumerate().filter(|(_, i)| i.is_failure()) {
        trees.entry(root(incidents, place)).or_default().push(place);
    }
    let size = |tree: &[usize]| {
        let mut machines: Vec<usize> = tree.iter().map(|&i| incidents[i].machine).collect();
        machines.sort_unstable();
        machines.dedup();
        machines.len()
    };
    let (first, mut tree) = trees
        .into_iter()
        .max_by_key(|(first, tree)| (size(tree), std::cmp::Reverse(*first)))
        .filter(|(_, tree)| size(tree) > 1)?;
    tree.sort_by_key(|&place| (incidents[place].start_ms, place));
    let start_ms = incidents[first].start_ms;

    let groups = Groups::new(fleet.len());
    let number = |place: usize| numbers.get(incidents[place].machine).copied();
    let root_number = number(first)?;
    let group = (0..groups.len()).find(|&group| groups.members(group).contains(&root_number))?;
    let range = groups.members(group);
    let mut members: Vec<Member> = range
        .clone()
        .zip(groups.dependencies(fleet.seed(), group))
        .map(|(machine, on)| Member {
            machine,
            depends_on: on.into_iter().flatten().map(usize::from).collect(),
            failed: None,
        })
        .collect();
    let member = |place: usize| Some(number(place)?.checked_sub(range.start)? as usize);
    let mut order = 0;
    for &place in &tree {
        let Some(at) = member(place).filter(|&at| at < members.len()) else { continue };
        // A machine that failed twice is shown by its first failure.
        if members[at].failed.is_none() {
            let cause = incidents[place].cause.and_then(member);
            let after_ms = incidents[place].start_ms - start_ms;
            members[at].failed = Some(Failed { after_ms, order, cause });
            order += 1;
        }
    }
    Some(Cascade { group, start_ms, members })
}

/// The first failure of the chain of causes.
fn root(incidents: &[Incident], mut place: usize) -> usize {
    // Bounded, so that a circle of causes can't hang it.
    for _ in 0..incidents.len() {
        match incidents[place].cause {
            Some(cause) if cause != place => place = cause,
            _ => break,
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleetstorm_model::config::Config;
    use fleetstorm_model::simulation::incidents::IncidentKind;

    #[test]
    fn the_largest_tree_of_causes_is_found() {
        let fleet = Fleet::new(&Config { n_machines: 10, ..Config::default() }, 1);
        let numbers: Vec<u32> = (0..10).rev().collect();
        let incident = |machine, start_ms, cause: Option<usize>| Incident {
            machine,
            kind: if cause.is_some() { IncidentKind::Cascade } else { IncidentKind::Failure },
            start_ms,
            end_ms: None,
            cause,
        };
        let incidents = [
            incident(1, 0, None),
            incident(9, 1000, None),
            incident(8, 3000, Some(1)),
            incident(5, 2000, Some(1)),
            incident(9, 9000, Some(3)),
            incident(2, 500, Some(0)),
        ];
        let cascade = largest(&incidents, &fleet, &numbers).unwrap();
        assert_eq!((cascade.group, cascade.start_ms, cascade.failed()), (0, 1000, 3));
        let failed = |machine: usize| cascade.members[machine].failed.unwrap();
        assert_eq!(failed(0), Failed { after_ms: 0, order: 0, cause: None });
        assert_eq!(failed(4), Failed { after_ms: 1000, order: 1, cause: Some(0) });
        assert_eq!(failed(1), Failed { after_ms: 2000, order: 2, cause: Some(0) });
        assert_eq!(largest(&incidents[..1], &fleet, &numbers), None);
    }
}
