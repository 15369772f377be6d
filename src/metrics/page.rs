//! A page under construction: rows of the table with their samples, then the text.

use super::families::Family;
use prometheus::proto::MetricType;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily};
use prometheus::{Encoder, TextEncoder};

/// The families of one scrape.
#[derive(Debug, Default)]
pub(super) struct Page {
    families: Vec<MetricFamily>,
}

impl Page {
    /// Adds a counter or gauge with one sample for each label set. Without samples it is absent.
    pub(super) fn put<'a, const N: usize>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = ([&'a str; N], f64)>,
    ) {
        let metrics = samples
            .into_iter()
            .map(|(labels, value)| metric(family, &labels, value))
            .collect();
        self.push(family, metrics);
    }

    /// Adds a counter or gauge without labels.
    pub(super) fn put_one(&mut self, family: &Family, value: f64) {
        self.put(family, [([], value)]);
    }

    /// Adds a histogram without labels from counts that are not cumulative: one for each bound and
    /// one for the rest. Other nodes may say any counts: they never add up to more than there is room for.
    pub(super) fn put_histogram(
        &mut self,
        family: &Family,
        bounds: impl IntoIterator<Item = f64>,
        counts: &[u64],
        sum: f64,
    ) {
        let mut below = 0;
        let buckets = bounds.into_iter().zip(counts).map(|(bound, count)| {
            below = count.saturating_add(below);
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(below);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        let all = counts.iter().copied().fold(0, u64::saturating_add);
        histogram.set_sample_count(all);
        histogram.set_sample_sum(sum);
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        self.push(family, vec![metric]);
    }

    /// Adds families that are kept elsewhere.
    pub(super) fn extend(&mut self, families: Vec<MetricFamily>) {
        self.families.extend(families);
    }

    /// Puts `namespace` and `_` before every name so far, unless it is empty.
    pub(super) fn prefix(&mut self, namespace: &str) {
        if namespace.is_empty() {
            return;
        }
        for family in &mut self.families {
            let name = format!("{namespace}_{}", family.name());
            family.set_name(name);
        }
    }

    /// The text of the page, families in the order of their names.
    pub(super) fn text(mut self) -> prometheus::Result<Vec<u8>> {
        self.families.sort_by(|a, b| a.name().cmp(b.name()));
        let mut text = Vec::with_capacity(16 * 1024);
        TextEncoder::new().encode(&self.families, &mut text)?;
        Ok(text)
    }

    fn push(&mut self, family: &Family, metrics: Vec<Metric>) {
        if metrics.is_empty() {
            return;
        }
        let mut built = MetricFamily::default();
        built.set_name(family.name.to_owned());
        built.set_help(family.help.to_owned());
        built.set_field_type(family.kind);
        built.set_metric(metrics);
        self.families.push(built);
    }
}

fn metric(family: &Family, labels: &[&str], value: f64) -> Metric {
    debug_assert_eq!(family.labels.len(), labels.len(), "{}", family.name);
    let pair = |(name, value): (&&str, &&str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    let mut metric = Metric::from_label(family.labels.iter().zip(labels).map(pair).collect());
    if family.kind == MetricType::COUNTER {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}
