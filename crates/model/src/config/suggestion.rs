//! Suggests the valid name for a misspelt one.

/// A suggestion below this similarity would mislead more often than help.
const SIMILAR: f64 = 0.78;

/// The candidate most like `word`, if any is like it.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    best(candidates.into_iter().map(|candidate| (similarity(word, candidate), candidate)))
}

/// The dotted path that `key` was probably meant to be: a section's if it `is_section`.
pub(super) fn nearest_key<'a>(
    key: &str,
    is_section: bool,
    paths: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let (parent, name) = split(key);
    let known: Vec<&str> = if is_section {
        paths.map(|path| split(path).0).filter(|section| !section.is_empty()).collect()
    } else {
        paths.collect()
    };
    best(known.into_iter().map(|path| {
        let (known_parent, known_name) = split(path);
        let by_name = if known_name == name {
            // The right name at the wrong level, which outdoes any misspelling.
            2.0
        } else {
            similarity(name, known_name)
        };
        // Where names are equally alike the section decides, and it decides nothing else.
        (by_name + 0.01 * similarity(parent, known_parent), path)
    }))
    .map(str::to_owned)
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

fn best<'a>(scored: impl Iterator<Item = (f64, &'a str)>) -> Option<&'a str> {
    scored
        .filter(|(score, _)| *score >= SIMILAR)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

fn similarity(word: &str, candidate: &str) -> f64 {
    let (word, candidate) = (word.to_lowercase(), candidate.to_lowercase());
    // Part of a name ("failures" of "enable_failures") shares too little of its order with the
    // whole for the measure below.
    let is_part = word.len() >= 4 && candidate.contains(&word);
    let similarity = strsim::jaro_winkler(&word, &candidate);
    if is_part { similarity.max(0.9) } else { similarity }
}
