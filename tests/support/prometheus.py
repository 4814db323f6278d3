"""Reads the metrics at the URL given, in both formats, with Prometheus' own library, and prints the samples of the first."""

import sys
import urllib.request

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics


def fetch(accept):
    request = urllib.request.Request(sys.argv[1], headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.headers["Content-Type"], response.read().decode()


kind, text = fetch("text/plain")
assert kind == "text/plain; version=0.0.4; charset=utf-8", kind
families = list(parser.text_string_to_metric_families(text))
kind, text = fetch("application/openmetrics-text; version=1.0.0")
assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8", kind
open_families = list(openmetrics.text_string_to_metric_families(text))
for family in families + open_families:
    assert family.type != "unknown" and family.documentation.endswith("."), family
names = [sample.name for family in families for sample in family.samples]
open_names = [sample.name for family in open_families for sample in family.samples]
# A scrape may be the first of its kind, and be counted in the second.
assert set(names) <= set(open_names), set(names) - set(open_names)
for family in families:
    for sample in family.samples:
        labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
        print(f"{sample.name}{{{labels}}} {sample.value}")
