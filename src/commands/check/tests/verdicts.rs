//! The page that tells people what each verdict means, held against the code.

use proxy_shards::Verdict;

const PAGE: &str = include_str!("../../../../docs/verdicts.md");

#[test]
fn the_page_of_verdicts_has_each_of_them_in_order_with_a_meaning_and_a_remedy() {
    let rows: Vec<Vec<&str>> = PAGE
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let labels = rows.iter().map(|row| row[0].trim_matches('`'));
    assert!(labels.eq(Verdict::ALL.map(Verdict::label)), "{rows:?}");
    for row in &rows {
        let said = row[1..].iter().filter(|cell| cell.ends_with('.'));
        assert_eq!((row.len(), said.count()), (3, 2), "{row:?}");
    }
}
