"""What CloudWatch takes as embedded metrics, written down from its specification.

"Specification: Embedded metric format" of the CloudWatch user guide, as of 2026-11; the namespace's
and names' characters are those of PutMetricData and of AWS's own client, aws-embedded-metrics 3.5.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

UNITS = ["Count", "Milliseconds", "None"]
"""Of the units that CloudWatch knows, those that are used here."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 0},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {"$ref": "#/$defs/directive"},
                },
            },
            "additionalProperties": False,
        }
    },
    "$defs": {
        "directive": {
            "type": "object",
            "required": ["Namespace", "Dimensions", "Metrics"],
            "properties": {
                "Namespace": {
                    "type": "string",
                    "pattern": "^[a-zA-Z0-9._#:/-]+$",
                    "maxLength": 255,
                },
                "Dimensions": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "array",
                        "maxItems": 30,
                        "items": {"type": "string", "minLength": 1, "maxLength": 250},
                    },
                },
                "Metrics": {
                    "type": "array",
                    "maxItems": 100,
                    "items": {
                        "type": "object",
                        "required": ["Name"],
                        "properties": {
                            "Name": {"type": "string", "pattern": "^[ -~]+$", "maxLength": 255},
                            "Unit": {"enum": UNITS},
                            "StorageResolution": {"enum": [1, 60]},
                        },
                        "additionalProperties": False,
                    },
                },
            },
            "additionalProperties": False,
        }
    },
}

_VALUES = Draft202012Validator(
    {
        "anyOf": [
            {"type": "number"},
            {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "number"}},
        ]
    }
)


def embedded_metrics(line: dict[str, Any]) -> dict[str, Any]:
    """Check a log line against the specification; return the value of each of its metrics."""
    Draft202012Validator(SCHEMA).validate(line)
    found = {}
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for dimensions in directive["Dimensions"]:
            for name in dimensions:
                assert isinstance(line[name], str)
                assert line[name].strip()
                assert line[name].isascii()
        for metric in directive["Metrics"]:
            _VALUES.validate(line[metric["Name"]])
            found[f"{directive['Namespace']} {metric['Name']}"] = line[metric["Name"]]
    return found
