"""Prometheus collectors, with the registry passed in.

Every label is bounded: routes, stages, intents and names come from code, manifests and packs, and whatever lies beyond
`SERIES` different values of a metric is counted as `other` and its name forgotten. Children are cached: on the hot path
a metric is one dictionary look-up and one addition.

`Metrics.listener` is what `appliance.app` hands to the lower rooms. It counts the events that it knows and ignores the
others.
"""

from __future__ import annotations

from appliance.metrics.collect import Metrics
from appliance.metrics.depths import depths
from appliance.metrics.family import SERIES
from appliance.metrics.table import METRICS

__all__ = ["METRICS", "SERIES", "Metrics", "depths"]
