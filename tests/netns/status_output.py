#!/usr/bin/python3
"""usage: status_output.py SCHEMA STATUS.json METRICS.txt

Validates the two outputs of saltway status, with the parsers of other people: the JSON against the shipped schema, the
metrics as OpenMetrics, and as the older text format that node_exporter's textfile collector reads. Prints the states of
the links."""
import copy
import json
import sys

import jsonschema
from prometheus_client import parser as older
from prometheus_client.openmetrics import parser as openmetrics

schema = json.load(open(sys.argv[1]))
links = json.load(open(sys.argv[2]))
text = open(sys.argv[3]).read()

jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
validator.validate(links)
for key in links[0] if links else []:  # the schema names every member: without one, or with another type, nothing is valid
    missing, wrong = copy.deepcopy(links), copy.deepcopy(links)
    del missing[0][key]
    wrong[0][key] = {"no": "such"}
    assert not validator.is_valid(missing) and not validator.is_valid(wrong), key
assert not validator.is_valid(links[0] if links else {})

families = list(openmetrics.text_string_to_metric_families(text))
samples = {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}
assert all(family.documentation and family.type in ("gauge", "counter") for family in families)
known = {family.type for family in older.text_string_to_metric_families(text)}
assert known <= {"gauge", "counter", "unknown"}, known
for link in links:
    name = ("name", link["name"])
    assert samples["saltway_up", (name,)] == (link["state"] in ("up", "degraded"))
    assert samples["saltway_degraded", (name,)] == (link["state"] == "degraded")
    assert samples["saltway_handshakes_total", (name,)] <= link["handshakes"] + 1
    for reason in link["drops"]:
        assert samples["saltway_dropped_total", (name, ("reason", reason))] >= 0
    active = [s for s in samples if s[0] == "saltway_path_active" and name in s[1] and samples[s]]
    assert len(active) == sum(path["active"] for path in link["paths"])
print(*[link["state"] for link in links])
