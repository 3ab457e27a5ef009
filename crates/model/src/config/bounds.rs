//! The bounds of each key, one line per key. They are checked layer by layer, so that an error can say
//! where the value came from.

use std::collections::BTreeSet;
use std::fmt;

use chrono_tz::{TZ_VARIANTS, Tz};
use serde_json::{Map, Value};

use super::error::{Problem, ProblemKind};
use super::origin::Origin;
use super::suggestion::{nearest, nearest_key};

/// Every key by its dotted path. A test holds this table against the fields of `Config`.
pub(super) const RULES: &[(&str, Rule)] = &[
    ("n_machines", integer(1, 10_000_000)),
    // With the bound on machines this keeps every count of records within 63 bits.
    ("n_readings", optional(1, 100_000_000_000)),
    ("n_jobs", optional(0, 1_000_000_000_000)),
    ("seed", optional(0, u64::MAX)),
    ("machine_types", Rule::Names),
    ("cores_range", Rule::IntegerRange { min: 1, max: 4096 }),
    ("zones", Rule::Names),
    ("regions", Rule::Names),
    ("base_cpu_load", number(0.0, 1.0)),
    ("base_memory_load", number(0.0, 1.0)),
    ("base_network_load", number(0.0, 1.0)),
    ("load_variance", number(0.0, 1.0)),
    ("anomalies.enable", Rule::Switch),
    ("anomalies.cpu_spike_probability", number(0.0, 1.0)),
    ("anomalies.cpu_spike_magnitude", number(0.0, 100.0)),
    ("anomalies.cpu_spike_duration", READINGS),
    ("anomalies.memory_leak_probability", number(0.0, 1.0)),
    ("anomalies.memory_leak_rate", number(0.0, 100.0)),
    ("anomalies.memory_leak_duration", READINGS),
    ("anomalies.network_saturation_probability", number(0.0, 1.0)),
    ("anomalies.network_saturation_slowdown", number(1.0, 100.0)),
    ("anomalies.network_saturation_duration", READINGS),
    ("anomalies.disk_full_probability", number(0.0, 1.0)),
    (
        "anomalies.disk_full_level",
        Rule::Number {
            min: 92.0,
            max: 100.0,
            less: Some("would not show, since disks are up to 90 % full by themselves"),
        },
    ),
    ("anomalies.disk_full_duration", READINGS),
    ("anomalies.multi_resource_probability", number(0.0, 1.0)),
    ("anomalies.multi_resource_magnitude", number(0.0, 100.0)),
    ("anomalies.multi_resource_duration", READINGS),
    ("anomalies.sensor_drift_probability", number(0.0, 1.0)),
    ("anomalies.sensor_drift_magnitude", number(0.0, 100.0)),
    ("anomalies.sensor_drift_duration", READINGS),
    ("temporal_patterns.enable_diurnal", Rule::Switch),
    ("temporal_patterns.enable_weekly", Rule::Switch),
    ("temporal_patterns.peak_hour", integer(0, 23)),
    ("temporal_patterns.night_load_factor", number(0.0, 1.0)),
    ("temporal_patterns.weekend_load_factor", number(0.0, 1.0)),
    ("temporal_patterns.time_zones", Rule::TimeZones),
    ("enable_failures", Rule::Switch),
    ("failure_probability", number(0.0, 1.0)),
    ("cascade_failure_probability", number(0.0, 1.0)),
    ("failures.repair_readings", number(1.0, 1e6)),
    ("failures.cascade_delay", READINGS),
    ("failures.report_while_down", Rule::Switch),
    ("maintenance.enable", Rule::Switch),
    ("maintenance.hours", Rule::Hours),
    ("maintenance.minutes", Rule::IntegerRange { min: 1, max: 1440 }),
    ("maintenance.share", number(0.0, 1.0)),
    ("degradation.enable", Rule::Switch),
    ("degradation.rate", number(1e-9, 1.0)),
    ("degradation.threshold", number(1e-3, 1.0)),
    ("degradation.recovery", number(1e-9, 1.0)),
    ("growth.per_month", number(0.0, 10.0)),
    ("zone_patterns.load_spread", number(0.0, 1.0)),
    ("zone_patterns.trouble_every", optional(2, 1_000_000_000)),
    ("zone_patterns.trouble_readings", integer(1, 1_000_000_000)),
    ("zone_patterns.trouble_slowdown", number(1.0, 100.0)),
    ("jobs.arrival_probability", number(0.0, 0.2)),
];

const READINGS: Rule = Rule::IntegerRange { min: 1, max: 1_000_000 };

const NAMES_MAX: usize = 255;
const NAME_BYTES_MAX: usize = 128;

/// What a key may hold. Its `Display` completes "must be ...".
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// True or false.
    Switch,
    /// A whole number between bounds, or null where `optional`.
    Integer { min: u64, max: u64, optional: bool },
    /// A finite number between bounds; what is wrong with a lower one, where that isn't plain.
    Number { min: f64, max: f64, less: Option<&'static str> },
    /// Two whole numbers between bounds, the first not above the second.
    IntegerRange { min: u64, max: u64 },
    /// Two different hours of the day, between which the window lies.
    Hours,
    /// A list of different names.
    Names,
    /// Names of regions, each with the IANA name of a time zone.
    TimeZones,
}

/// Checks one layer's settings, an object to be merged into `defaults`, and adds what is wrong to
/// `problems`.
pub(super) fn check(
    origin: &Origin,
    settings: &Map<String, Value>,
    defaults: &Map<String, Value>,
    problems: &mut Vec<Problem>,
) {
    check_section("", origin, settings, defaults, problems);
}

fn check_section(
    prefix: &str,
    origin: &Origin,
    settings: &Map<String, Value>,
    defaults: &Map<String, Value>,
    problems: &mut Vec<Problem>,
) {
    for (name, value) in settings {
        let key = format!("{prefix}{name}");
        let kind = match (rule(&key), defaults.get(name), value) {
            (Some(rule), _, value) => match rule.reason_against(value) {
                None => continue,
                Some(detail) => ProblemKind::Invalid { expected: rule.to_string(), detail },
            },
            (None, Some(Value::Object(defaults)), Value::Object(settings)) => {
                check_section(&format!("{key}."), origin, settings, defaults, problems);
                continue;
            }
            (None, Some(Value::Object(defaults)), _) => {
                let keys: Vec<&str> = defaults.keys().map(String::as_str).collect();
                ProblemKind::Invalid {
                    expected: format!("a section with keys among {}", keys.join(", ")),
                    detail: switch_of(&key).filter(|_| value.is_boolean()),
                }
            }
            (None, _, value) => ProblemKind::Unknown {
                nearest: nearest_key(&key, value.is_object(), RULES.iter().map(|(path, _)| *path)),
            },
        };
        problems.push(Problem { key, value: value.clone(), origin: origin.clone(), kind });
    }
}

impl Rule {
    /// `None` if `value` fits; else what is wrong with it, in more detail than the rule if possible.
    fn reason_against(&self, value: &Value) -> Option<Option<String>> {
        let fits = match *self {
            Rule::Switch => value.is_boolean(),
            Rule::Integer { min, max, optional } => {
                (optional && value.is_null()) || integer_within(value, min, max).is_some()
            }
            Rule::Number { min, max, less } => match value.as_f64() {
                Some(number) if number < min => {
                    return Some(less.map(|less| format!("{number} {less}")));
                }
                number => number.is_some_and(|number| number <= max),
            },
            Rule::IntegerRange { min, max } => match value.as_array().map(Vec::as_slice) {
                Some([low, high]) => {
                    let bounds = integer_within(low, min, max).zip(integer_within(high, min, max));
                    match bounds {
                        Some((low, high)) if low > high => {
                            return Some(Some(format!("{low} is above {high}")));
                        }
                        bounds => bounds.is_some(),
                    }
                }
                _ => false,
            },
            Rule::Hours => match value.as_array().map(Vec::as_slice) {
                Some([first, last]) => {
                    let hours = integer_within(first, 0, 24).zip(integer_within(last, 0, 24));
                    match hours {
                        // Midnight is both 0 and 24.
                        Some((first, last)) if first == last || (first, last) == (24, 0) => {
                            return Some(Some("no time lies between them".to_owned()));
                        }
                        hours => hours.is_some(),
                    }
                }
                _ => false,
            },
            Rule::Names => match value.as_array() {
                Some(names) => match wrong_with_names(names) {
                    Some(detail) => return Some(Some(detail)),
                    None => true,
                },
                None => false,
            },
            Rule::TimeZones => match value.as_object() {
                Some(zones) => match wrong_with_time_zones(zones) {
                    Some(detail) => return Some(Some(detail)),
                    None => true,
                },
                None => false,
            },
        };
        if fits { None } else { Some(None) }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Rule::Switch => f.write_str("true or false"),
            Rule::Integer { min, max, optional } => {
                write!(f, "a whole number from {min} to {max}")?;
                f.write_str(if optional { ", or null" } else { "" })
            }
            Rule::Number { min, max, .. } => write!(f, "a number from {min} to {max}"),
            Rule::IntegerRange { min, max } => {
                write!(f, "a list of two whole numbers from {min} to {max}, the lower first")
            }
            Rule::Hours => f.write_str(
                "a list of two different hours from 0 to 24, as [2, 5], or [22, 4] across midnight",
            ),
            Rule::Names => write!(
                f,
                "a list of 1 to {NAMES_MAX} different names of 1 to {NAME_BYTES_MAX} bytes"
            ),
            Rule::TimeZones => f.write_str(
                "regions with the IANA name of a time zone each, as `{mars-1: Europe/Paris}`",
            ),
        }
    }
}

const fn integer(min: u64, max: u64) -> Rule {
    Rule::Integer { min, max, optional: false }
}

const fn optional(min: u64, max: u64) -> Rule {
    Rule::Integer { min, max, optional: true }
}

const fn number(min: f64, max: f64) -> Rule {
    Rule::Number { min, max, less: None }
}

/// The bounds of a key that holds a whole number.
pub fn whole_bounds(key: &str) -> Option<(u64, u64)> {
    match rule(key)? {
        Rule::Integer { min, max, .. } => Some((*min, *max)),
        _ => None,
    }
}

fn rule(key: &str) -> Option<&'static Rule> {
    RULES.iter().find(|(path, _)| *path == key).map(|(_, rule)| rule)
}

/// The hint for a whole section that is set to true or false.
fn switch_of(section: &str) -> Option<String> {
    [format!("{section}.enable"), format!("enable_{section}")]
        .into_iter()
        .find(|key| rule(key).is_some())
        .map(|key| format!("the switch is `{key}`"))
}

fn integer_within(value: &Value, min: u64, max: u64) -> Option<u64> {
    value.as_u64().filter(|number| (min..=max).contains(number))
}

fn wrong_with_names(names: &[Value]) -> Option<String> {
    if names.is_empty() {
        return Some("it is empty".into());
    }
    if names.len() > NAMES_MAX {
        return Some(format!("it holds {}", names.len()));
    }
    let mut seen = BTreeSet::new();
    for name in names {
        let Value::String(name) = name else {
            return Some(format!("{name} is not text; put it in quotes"));
        };
        if name.is_empty() {
            return Some("one of them is empty".into());
        }
        if name.len() > NAME_BYTES_MAX {
            return Some(format!("one of them has {} bytes", name.len()));
        }
        if !seen.insert(name) {
            return Some(format!("`{name}` is there twice"));
        }
    }
    None
}

fn wrong_with_time_zones(zones: &Map<String, Value>) -> Option<String> {
    if zones.len() > NAMES_MAX {
        return Some(format!("it holds {}", zones.len()));
    }
    zones.iter().find_map(|(region, zone)| {
        let Value::String(zone) = zone else {
            return Some(format!("that of `{region}` is not text"));
        };
        if zone.parse::<Tz>().is_ok() {
            return None;
        }
        let known = TZ_VARIANTS.iter().map(|zone| zone.name());
        let hint = nearest(zone, known).map(|near| format!("; did you mean `{near}`?"));
        Some(format!("there is no time zone `{zone}`{}", hint.unwrap_or_default()))
    })
}
