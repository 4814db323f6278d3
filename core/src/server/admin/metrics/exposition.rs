//! The text that Prometheus reads: one family of samples after the other.

use crate::http::RequestHead;
use crate::server::metrics::Histogram;
use alloc::string::String;
use core::fmt::{Display, Write};

/// Which text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server::admin) enum Format {
    /// Prometheus' own, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0, which differs in the names of families and has an end.
    OpenMetrics,
}

/// What a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows. The name of its samples ends with `_total`.
    Counter,
    Gauge,
    Histogram,
    /// It is 1, and what matters is in its labels. Its name ends with `_info`.
    Info,
}

/// Families, one after the other. What writes to it cannot fail.
#[derive(Debug)]
pub(super) struct Exposition {
    text: String,
    format: Format,
}

/// A family that samples are written to.
#[derive(Debug)]
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

/// Names and values. Values may come from peers.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Format {
    /// The one that a client wants: OpenMetrics if it says that it can read that.
    pub(in crate::server::admin) fn accepted(head: &RequestHead) -> Format {
        let accepted = head.fields.get("accept").unwrap_or_default();
        let kinds = accepted
            .split(',')
            .map(|kind| kind.split(';').next().unwrap_or_default());
        if kinds
            .map(str::trim)
            .any(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"))
        {
            Format::OpenMetrics
        } else {
            Format::Prometheus
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Kind {
    const fn as_str(self, format: Format) -> &'static str {
        match (self, format) {
            (Kind::Counter, _) => "counter",
            (Kind::Histogram, _) => "histogram",
            (Kind::Info, Format::OpenMetrics) => "info",
            (Kind::Gauge | Kind::Info, _) => "gauge",
        }
    }

    /// What the samples of such a family have behind its name.
    const fn suffix(self) -> &'static str {
        match self {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        }
    }
}

impl Exposition {
    pub(super) const fn new(format: Format) -> Self {
        Exposition {
            text: String::new(),
            format,
        }
    }

    /// A family whose samples have this name.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let family = match self.format {
            Format::Prometheus => name,
            Format::OpenMetrics => name.strip_suffix(kind.suffix()).unwrap_or(name),
        };
        let kind = kind.as_str(self.format);
        let _ = write!(self.text, "# HELP {family} {help}\n# TYPE {family} {kind}\n");
        Family {
            text: &mut self.text,
            name,
        }
    }

    /// A family of one sample without labels.
    pub(super) fn single(&mut self, name: &'static str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help).sample(&[], value);
    }

    /// All of it.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Family<'_> {
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        self.line("", labels, None, value);
    }

    /// A histogram of values that are `unit`-ths of what the family is named after.
    pub(super) fn histogram<const N: usize>(&mut self, unit: u32, histogram: &Histogram<N>) {
        let whole = |value: u64| value / u64::from(unit);
        let share = |value: u64| {
            let rest = u32::try_from(value % u64::from(unit)).unwrap_or_default();
            f64::from(rest) / f64::from(unit)
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "it is rounded, as every number of a monitoring system"
        )]
        let scaled = |value: u64| whole(value) as f64 + share(value);
        for (bound, count) in histogram.cumulative() {
            self.line("_bucket", &[], Some(scaled(bound)), count);
        }
        self.line("_bucket", &[], Some(f64::INFINITY), histogram.count());
        self.line("_sum", &[], None, scaled(histogram.sum()));
        self.line("_count", &[], None, histogram.count());
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, bound: Option<f64>, value: impl Display) {
        let text = &mut *self.text;
        let _ = write!(text, "{}{suffix}", self.name);
        let mut separator = '{';
        for (name, label) in labels {
            let _ = write!(text, "{separator}{name}=\"");
            escape(label, text);
            text.push('"');
            separator = ',';
        }
        match bound {
            Some(bound) if bound.is_infinite() => text.push_str("{le=\"+Inf\"}"),
            // With a point, as OpenMetrics wants it.
            Some(bound) => {
                let _ = write!(text, "{{le=\"{bound:?}\"}}");
            }
            None if separator == ',' => text.push('}'),
            None => {}
        }
        let _ = writeln!(text, " {value}");
    }
}

/// The value of a label, as both formats want it.
fn escape(value: &str, text: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format) -> String {
        let mut exposition = Exposition::new(format);
        let mut counter = exposition.family("x_things_total", Kind::Counter, "Things.");
        counter.sample(&[("of", "a\"b\\c\nd"), ("to", "é")], 7);
        exposition.single("x_now", Kind::Gauge, "Now.", 0.25);
        exposition
            .family("x_build_info", Kind::Info, "Build.")
            .sample(&[("version", "1")], 1);
        let mut histogram = Histogram::new(&[1_000, 2_500_000]);
        histogram.observe(500);
        histogram.observe(3_000_000);
        exposition
            .family("x_seconds", Kind::Histogram, "Time.")
            .histogram(1_000_000, &histogram);
        exposition.finish()
    }

    #[test]
    fn prometheus_reads_its_own_format() {
        assert_eq!(
            written(Format::Prometheus),
            "# HELP x_things_total Things.\n# TYPE x_things_total counter\n\
             x_things_total{of=\"a\\\"b\\\\c\\nd\",to=\"é\"} 7\n\
             # HELP x_now Now.\n# TYPE x_now gauge\nx_now 0.25\n\
             # HELP x_build_info Build.\n# TYPE x_build_info gauge\nx_build_info{version=\"1\"} 1\n\
             # HELP x_seconds Time.\n# TYPE x_seconds histogram\n\
             x_seconds_bucket{le=\"0.001\"} 1\nx_seconds_bucket{le=\"2.5\"} 1\nx_seconds_bucket{le=\"+Inf\"} 2\n\
             x_seconds_sum 3.0005\nx_seconds_count 2\n"
        );
    }

    #[test]
    fn open_metrics_names_families_without_suffix() {
        let text = written(Format::OpenMetrics);
        assert!(text.contains("# TYPE x_things counter\nx_things_total{"), "{text}");
        assert!(text.contains("# TYPE x_build info\nx_build_info{"), "{text}");
        assert!(text.ends_with("x_seconds_count 2\n# EOF\n"), "{text}");
    }
}
