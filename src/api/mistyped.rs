//! Names of parameters that are one letter or two off. Pure.
//!
//! Names that nobody knows are let be: clients add some of their own against caches, and what the old
//! service did not know it did not look at. But a filter whose name is mistyped would filter nothing,
//! and nobody would see it.

use super::query;
use super::refusal::Refusal;

/// The parameters of `/get-proxy`.
pub(super) const KNOWN: [&str; 12] = [
    "all",
    "anonymity",
    "format",
    "key",
    "lease",
    "limit",
    "max_age",
    "max_latency_ms",
    "protocol",
    "source",
    "target",
    "unique",
];

/// Longer names are none of ours, however they were meant.
const LENGTH_MAX: usize = 32;
/// The beginning of a name stands for it from this length on.
const PREFIX_MIN: usize = 4;
/// And from this one, if no other name begins so.
const PREFIX_OF_ONE_MIN: usize = 3;

/// Refuses the first parameter with a value whose name is not one of [`KNOWN`] but nearly.
pub(super) fn refuse(query: Option<&str>) -> Result<(), Refusal> {
    let mut meant = query::names(query).filter_map(|name| {
        let meant = meant_by(&name)?;
        Some(Refusal::Parameter {
            name: name.into(),
            meant,
        })
    });
    meant.next().map_or(Ok(()), Err)
}

/// The parameter that was meant, if `name` is none and like one.
fn meant_by(name: &str) -> Option<&'static str> {
    if KNOWN.contains(&name) || name.len() > LENGTH_MAX {
        return None;
    }
    let name = letters(name);
    let begun = KNOWN
        .into_iter()
        .filter(|known| letters(known).starts_with(&name));
    let prefix_min = match begun.count() {
        1 => PREFIX_OF_ONE_MIN,
        _ => PREFIX_MIN,
    };
    let distance = |known: &'static str| (strsim::osa_distance(&name, &letters(known)), known);
    let alike = |&(distance, known): &(usize, &str)| {
        let cut_off = name.len() >= prefix_min && letters(known).starts_with(&name);
        cut_off || distance <= slips(known)
    };
    let alike = KNOWN.into_iter().map(distance).filter(alike);
    alike.min().map(|(_, known)| known)
}

/// How many letters off counts as a slip. A short name has many others beside it that somebody may mean:
/// `alt`, `kex`.
fn slips(known: &str) -> usize {
    known.len() / 4
}

/// What counts of a name: neither case nor how its words are joined.
fn letters(name: &str) -> String {
    let counts = |c: &char| !matches!(c, '_' | '-');
    name.chars()
        .filter(counts)
        .collect::<String>()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_named() {
        for (name, meant) in [
            ("ALL", "all"),
            ("anonimity", "anonymity"),
            ("fromat", "format"),
            ("form", "format"),
            ("lea", "lease"),
            ("leas", "lease"),
            ("lim", "limit"),
            ("Pro", "protocol"),
            ("Limit", "limit"),
            ("limits", "limit"),
            ("maxage", "max_age"),
            ("max-age", "max_age"),
            ("max_latency", "max_latency_ms"),
            ("maxLatencyMs", "max_latency_ms"),
            ("max_latencyms", "max_latency_ms"),
            ("protcol", "protocol"),
            ("proto", "protocol"),
            ("sources", "source"),
            ("traget", "target"),
            ("uniqe", "unique"),
        ] {
            assert_eq!(meant_by(name), Some(meant), "{name}");
        }
    }

    #[test]
    fn names_of_others_and_our_own_are_let_be() {
        let others = [
            "",
            "_",
            "__",
            "t",
            "ts",
            "v",
            "cb",
            "id",
            "ip",
            "rand",
            "random",
            "alt",
            "keys",
            "nocache",
            "nonce",
            "time",
            "timestamp",
            "user",
            "country",
            "type",
            "page",
            "count",
            "offset",
            "sort",
            "api",
            "order",
            "version",
            "token",
            "apikey",
            "utm_source",
            "release",
            "max",
            "le",
            "li",
            "age",
            "debug",
        ];
        for name in others.into_iter().chain(KNOWN) {
            assert_eq!(meant_by(name), None, "{name}");
        }
        let long = "_".repeat(LENGTH_MAX) + "limit";
        assert_eq!(meant_by(&long), None);
    }

    #[test]
    fn only_a_parameter_with_a_value_is_looked_at_and_the_first_is_told() {
        let told = |query| refuse(Some(query)).map_err(|refusal| refusal.to_string());
        assert_eq!(told("_=123&limit=5&protcol="), Ok(()));
        assert_eq!(
            told("limit=5&prot%6fcl=http&Limit=3"),
            Err("Unknown parameter protocl. Did you mean protocol?".to_owned())
        );
        assert_eq!(refuse(None), Ok(()));
    }
}
