//! What the documents promise about themselves: a complete table of contents, lines that a terminal shows, and boards
//! and alerts that name labels and rules which exist.

mod limits;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;

/// Documents that readers search rather than read.
const LONG: [&str; 4] = ["docs/protocol.md", "docs/operations.md", "docs/venues.md", "docs/cluster.md"];

/// Longest line, in characters.
const MOST: usize = 159;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Headings below the title: their level, text and anchor, as GitHub makes it.
fn headings(text: &str) -> Vec<(usize, &str, String)> {
    let mut is_block = false;
    let outside = text.lines().filter(|line| {
        is_block ^= line.starts_with("```");
        !is_block
    });
    let headings = outside.filter_map(|line| {
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        (level > 1).then(|| (level, line[level..].trim()))
    });
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(|(level, heading)| (level, heading, anchor(heading))).collect()
}

#[test]
fn long_documents_have_a_complete_table_of_contents() {
    for path in LONG {
        let text = read(path);
        let headings = headings(&text);
        assert_eq!(headings.first().map(|it| it.1), Some("Contents"), "{path} begins with its contents");
        let contents = text.split("## Contents\n\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        let expected: Vec<_> = headings[1..]
            .iter()
            .map(|(level, heading, anchor)| format!("{}- [{heading}](#{anchor})", "  ".repeat(level - 2)))
            .collect();
        let found: Vec<_> = contents.unwrap_or_default().lines().collect();
        assert_eq!(found, expected, "{path}: the contents do not name its sections in their order");
        let anchors: BTreeSet<_> = headings.iter().map(|it| it.2.as_str()).collect();
        let links = text.split("](#").skip(1).filter_map(|rest| rest.split(')').next());
        let dead: Vec<_> = links.filter(|link| !anchors.contains(link)).collect();
        assert!(dead.is_empty(), "{path}: no section is called {dead:?}");
    }
}

#[test]
fn lines_of_long_documents_are_short() {
    let mut long = Vec::new();
    for path in LONG {
        for (i, line) in read(path).lines().enumerate() {
            let length = line.chars().count();
            if length > MOST {
                long.push(format!("{path}:{}: {length} characters", i + 1));
            }
        }
    }
    assert!(long.is_empty(), "wrap at {MOST} or less:\n{}", long.join("\n"));
}

/// The labels of every family, as the operators' document has them.
fn labels() -> BTreeMap<String, BTreeSet<String>> {
    let text = read("docs/operations.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `tickcast_"));
    rows.filter_map(|row| {
        let mut cells = row.split(" | ");
        let family = cells.next()?.trim_end_matches('`');
        let labels = cells.next()?.split(',').map(|label| label.trim().trim_matches('`').to_owned());
        Some((format!("tickcast_{family}"), labels.filter(|label| !label.is_empty()).collect()))
    })
    .collect()
}

/// Queries of the dashboard and of the alerts.
fn queries() -> Vec<String> {
    let board: Value = serde_json::from_str(&read("grafana/dashboards/tickcast.json")).unwrap();
    let panels = board["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let mut queries: Vec<_> = targets.map(|it| it["expr"].as_str().unwrap().to_owned()).collect();
    let alerts = read("grafana/alerts.yml");
    queries.extend(alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).map(str::to_owned));
    assert!(queries.len() > 40, "the queries are not found any more");
    queries
}

/// The names in a list, or in front of the operators of matchers.
fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(|it| it.trim().split(['=', '!']).next().unwrap_or_default())
}

#[test]
fn boards_and_alerts_ask_for_labels_that_exist() {
    /// Those that Prometheus adds, and that of histograms.
    const GIVEN: [&str; 3] = ["instance", "job", "le"];
    let labels = labels();
    let mut wrong = Vec::new();
    for query in queries() {
        let families: Vec<_> = query
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("tickcast_"))
            .map(|word| word.trim_end_matches("_bucket"))
            .collect();
        let of_query: BTreeSet<_> = families.iter().filter_map(|it| labels.get(*it)).flatten().collect();
        let grouped = query.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
        let matched = query.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        for name in grouped.chain(matched).flat_map(names) {
            if !GIVEN.contains(&name) && !of_query.iter().any(|it| *it == name) && !families.is_empty() {
                wrong.push(format!("{query}: none of {families:?} has a label {name:?}"));
            }
        }
        if query.contains("road") {
            wrong.push(format!("{query}: the label is called transport"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_board_shows_what_was_refused_and_corrected() {
    let queries = queries().join("\n");
    for family in [
        "tickcast_requests_refused_total",
        "tickcast_connections_refused_total",
        "tickcast_uncorrected_values_total",
        "tickcast_sessions_refused_total",
        "channel=\"corrections\"",
    ] {
        assert!(queries.contains(family), "no panel shows {family}");
    }
}

#[test]
fn the_board_shows_every_family_of_a_cluster() {
    let queries = queries().join("\n");
    let families: Vec<String> =
        labels().into_keys().filter(|family| family.starts_with("tickcast_cluster_")).collect();
    assert!(families.len() > 15, "the families are not found any more: {families:?}");
    for family in families {
        assert!(queries.contains(&family), "no panel shows {family}");
    }
}

#[test]
fn every_alert_is_described_and_every_described_one_exists() {
    let alerts = read("grafana/alerts.yml");
    let rules: BTreeSet<_> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let operations = read("docs/operations.md");
    let rows = operations.lines().filter_map(|line| line.strip_prefix("| `Tickcast"));
    let described: BTreeSet<_> =
        rows.filter_map(|row| row.split('`').next()).map(|name| format!("Tickcast{name}")).collect();
    let described: BTreeSet<_> = described.iter().map(String::as_str).collect();
    assert_eq!(rules, described);
}
