//! Settings that contradict each other: valid, but surely not meant.

use serde_json::Value;

use super::Config;
use super::layer::Layer;
use super::origin::Origin;

/// What has no effect while a switch is off: a key, or a whole section where it ends in a dot.
const SWITCHES: &[(&str, &str)] = &[
    ("anomalies.", "anomalies.enable"),
    ("temporal_patterns.peak_hour", "temporal_patterns.enable_diurnal"),
    ("temporal_patterns.night_load_factor", "temporal_patterns.enable_diurnal"),
    ("temporal_patterns.weekend_load_factor", "temporal_patterns.enable_weekly"),
    ("failure_probability", "enable_failures"),
    ("cascade_failure_probability", "enable_failures"),
    ("failures.", "enable_failures"),
    ("maintenance.", "maintenance.enable"),
    ("degradation.", "degradation.enable"),
    ("zone_patterns.trouble_readings", "zone_patterns.trouble_every"),
    ("zone_patterns.trouble_slowdown", "zone_patterns.trouble_every"),
];

/// One note for each key that the user set and that has no effect in `merged`.
pub(super) fn contradictions(layers: &[Layer], merged: &Value, defaults: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    for layer in layers {
        // To switch a scenario's anomalies off is no mistake.
        if matches!(layer.origin, Origin::Scenario(_)) {
            continue;
        }
        for (key, value) in leaves(&layer.value) {
            let Some(switch) = switch_of(&key) else {
                continue;
            };
            let state = get(merged, switch).unwrap_or(&Value::Null);
            let is_on = !matches!(state, Value::Null | Value::Bool(false));
            // A dump of a whole configuration names every key: its defaults are no contradiction.
            let is_dumped_default =
                get(&layer.value, switch).is_some() && get(defaults, &key) == Some(value);
            if !is_on && !is_dumped_default {
                notes.push(format!(
                    "`{key}` (from {}) has no effect while `{switch}` is {state}",
                    layer.origin
                ));
            }
        }
    }
    notes
}

/// Most keys that a note lists.
const LISTED: usize = 5;

/// A note for each file that sets keys of the scenario back to their defaults, as the dump of a whole
/// configuration does.
pub(super) fn undone(layers: &[Layer], merged: &Value, defaults: &Value) -> Vec<String> {
    let is_scenario = |layer: &&Layer| matches!(layer.origin, Origin::Scenario(_));
    let Some(scenario) = layers.iter().find(is_scenario) else { return Vec::new() };
    let set_back = |layer: &Layer| -> Vec<String> {
        let is_undone = |(key, value): &(String, &Value)| {
            let default = get(defaults, key);
            default != Some(value)
                && get(&layer.value, key).is_some_and(|own| default == Some(own))
                && get(merged, key) == default
        };
        leaves(&scenario.value).into_iter().filter(is_undone).map(|(key, _)| key).collect()
    };
    let files = layers.iter().filter(|layer| matches!(layer.origin, Origin::File(_)));
    let undone = files.map(|layer| (layer, set_back(layer))).filter(|(_, keys)| !keys.is_empty());
    undone
        .map(|(layer, keys)| {
            let more = keys.len().saturating_sub(LISTED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!(
                "{} sets keys of {} back to their defaults: {}{more}; leave them out of the file to keep the scenario",
                layer.origin,
                scenario.origin,
                keys[..keys.len().min(LISTED)].join(", ")
            )
        })
        .collect()
}

/// A note where maintenance is cut to its zone's part of the window.
pub(super) fn cut_maintenance(config: &Config) -> Option<String> {
    let maintenance = &config.maintenance;
    let zones = config.zones.len() as u32;
    let part = f64::from(60 * u32::from(maintenance.window_hours())) / f64::from(zones);
    let most = maintenance.minutes.1;
    (maintenance.enable && f64::from(most) > part).then(|| {
        format!(
            "maintenance.minutes goes up to {most}, and each of the {zones} zones has {} minutes of maintenance.hours: longer ones are cut to these; widen maintenance.hours or lower maintenance.minutes",
            (part * 10.0).round() / 10.0
        )
    })
}

fn switch_of(key: &str) -> Option<&'static str> {
    SWITCHES
        .iter()
        .find(|(gated, switch)| {
            key != *switch && (key == *gated || gated.ends_with('.') && key.starts_with(gated))
        })
        .map(|(_, switch)| *switch)
}

fn leaves(tree: &Value) -> Vec<(String, &Value)> {
    let Value::Object(entries) = tree else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, value) in entries {
        if value.is_object() {
            let below = leaves(value).into_iter();
            found.extend(below.map(|(key, value)| (format!("{name}.{key}"), value)));
        } else {
            found.push((name.clone(), value));
        }
    }
    found
}

fn get<'a>(tree: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(tree, |value, name| value.get(name))
}
