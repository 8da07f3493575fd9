//! `docs/metrics.md` lists every metric, and every name in the code is listed.

use std::{collections::BTreeSet, fs};

use hexflight::{METRICS, MetricKind};

use crate::house::{CRATES, repository, rust_files};

#[test]
fn every_metric_of_the_code_is_described_and_no_other() {
    let described: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    let listed: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert!(listed.is_sorted() && listed.len() == described.len());
    let mut used = BTreeSet::new();
    for file in CRATES.iter().flat_map(|name| rust_files(&repository().join(name).join("src"))) {
        if file.ends_with("metric_list.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let quoted = text.split('"').skip(1).step_by(2).map(str::to_owned);
        used.extend(quoted.filter(|text| text.starts_with("hexflight_") && !text.contains(['{', ' ', '.'])));
    }
    let described: BTreeSet<String> = described.into_iter().map(str::to_owned).collect();
    assert_eq!(used.difference(&described).collect::<Vec<_>>(), Vec::<&String>::new(), "not described");
    assert_eq!(
        described.difference(&used).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "described, and not in the code"
    );
}

#[test]
fn the_page_of_metrics_is_what_the_code_says() {
    let path = repository().join("docs/metrics.md");
    let page = fs::read_to_string(&path).unwrap();
    let head = page.split_inclusive("|---|---|---|---|\n").next().unwrap();
    let rows = METRICS.iter().map(|metric| {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        format!("| `{}` | {kind} | {} | {} |\n", metric.name, metric.labels, metric.text)
    });
    let expected = format!("{head}{}", rows.collect::<String>());
    if std::env::var_os("HEXFLIGHT_WRITE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    assert_eq!(page, expected, "docs/metrics.md: write it anew with HEXFLIGHT_WRITE_DOCS=1");
}
