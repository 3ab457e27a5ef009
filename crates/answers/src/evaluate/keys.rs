//! Groups by number: the values of key columns, each combination once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use fleetstorm_model::record::Record;

use crate::answer::Value;
use crate::query::{Column, Field, Key};

/// A machine's place among all machines of the parts that are looked at.
pub type MachineIndex = usize;

/// A hash of numbers that are small and dense.
pub type IdHash = BuildHasherDefault<IdHasher>;

/// Spreads a number over all bits by one multiplication.
#[derive(Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

/// Not looked up yet.
const UNKNOWN: u32 = u32::MAX;

/// The groups that there are.
#[derive(Debug)]
pub struct Groups {
    by: Vec<Key>,
    /// Whether a machine's records are all of one group.
    of_machine: bool,
    /// By the place of a machine, where they are.
    by_place: Vec<u32>,
    by_bytes: HashMap<Box<[u8]>, u32>,
    values: Vec<Vec<Value>>,
    scratch: Vec<u8>,
}

impl Groups {
    /// Groups by these columns.
    pub fn new(by: &[Key]) -> Groups {
        let of_machine = by.iter().all(|key| match key {
            Key::Column(column) => column.of_machine,
            Key::MemoryClass => true,
        });
        Groups {
            by: by.to_vec(),
            of_machine,
            by_place: Vec::new(),
            by_bytes: HashMap::new(),
            values: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The number of the group of a record. `class` is the class of its machine's memory.
    #[inline]
    pub fn of(
        &mut self,
        record: &Record<&str>,
        place: MachineIndex,
        class: Option<&'static str>,
    ) -> u32 {
        if self.of_machine {
            if let Some(&id) = self.by_place.get(place)
                && id != UNKNOWN
            {
                return id;
            }
            let id = self.look_up(record, class);
            if self.by_place.len() <= place {
                self.by_place.resize(place + 1, UNKNOWN);
            }
            self.by_place[place] = id;
            return id;
        }
        self.look_up(record, class)
    }

    fn look_up(&mut self, record: &Record<&str>, class: Option<&'static str>) -> u32 {
        self.scratch.clear();
        for key in &self.by {
            put(&mut self.scratch, field(key, record, class));
        }
        if let Some(&id) = self.by_bytes.get(self.scratch.as_slice()) {
            return id;
        }
        let id = self.values.len() as u32;
        self.by_bytes.insert(self.scratch.as_slice().into(), id);
        self.values.push(self.by.iter().map(|key| value(field(key, record, class))).collect());
        id
    }

    /// The key columns' values of a group.
    pub fn values(&self, id: u32) -> &[Value] {
        self.values.get(id as usize).map_or(&[], Vec::as_slice)
    }
}

fn field<'a>(key: &Key, record: &Record<&'a str>, class: Option<&'static str>) -> Field<'a> {
    match key {
        Key::Column(column) => column.of(record),
        Key::MemoryClass => class.map_or(Field::Null, Field::Text),
    }
}

fn value(field: Field<'_>) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Text(text) => Value::Text(text.to_owned()),
        Field::Double(number) => Value::Double(number),
        Field::Long(number) => Value::Long(number),
        Field::Bool(value) => Value::Bool(value),
    }
}

/// Writes a value such that no two write alike.
fn put(bytes: &mut Vec<u8>, field: Field<'_>) {
    match field {
        Field::Null => bytes.push(0),
        Field::Text(text) => {
            bytes.push(1);
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        Field::Double(number) => {
            bytes.push(2);
            bytes.extend(number.to_bits().to_le_bytes());
        }
        Field::Long(number) => {
            bytes.push(3);
            bytes.extend(number.to_le_bytes());
        }
        Field::Bool(value) => bytes.extend([4, u8::from(value)]),
    }
}

/// The different values of a column, by number.
#[derive(Debug, Default)]
pub struct Interner {
    by_place: Vec<u32>,
    by_bytes: HashMap<Box<[u8]>, u32>,
    scratch: Vec<u8>,
}

impl Interner {
    /// The number of a record's value; none of a null.
    #[inline]
    pub fn id(
        &mut self,
        column: &Column,
        record: &Record<&str>,
        place: MachineIndex,
    ) -> Option<u32> {
        if column.of_machine
            && let Some(&id) = self.by_place.get(place)
            && id != UNKNOWN
        {
            return Some(id);
        }
        let field = column.of(record);
        if field == Field::Null {
            return None;
        }
        self.scratch.clear();
        put(&mut self.scratch, field);
        let next = self.by_bytes.len() as u32;
        let id = match self.by_bytes.get(self.scratch.as_slice()) {
            Some(&id) => id,
            None => {
                self.by_bytes.insert(self.scratch.as_slice().into(), next);
                next
            }
        };
        if column.of_machine {
            if self.by_place.len() <= place {
                self.by_place.resize(place + 1, UNKNOWN);
            }
            self.by_place[place] = id;
        }
        Some(id)
    }
}
