"""Requests that schemathesis makes up from /openapi.json: the service keeps all that it says there.

schemathesis leaves that route itself out; tests/unit/test_openapi.py has it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis.checks import positive_data_acceptance

from handler import create_app
from model_loader import SharedModel
from model_loader.image import FORMATS
from tests.images import encode, noise
from tests.openapi import IMAGE_TYPES, RAW_TYPE

MODEL = Path(__file__).resolve().parents[2] / "models" / "flying-objects"
EXAMPLES = 100
"""Of each operation; the same ones in every run."""

PICTURES = {name: [encode(noise(*size), name) for size in ((1, 1), (40, 30))] for name in FORMATS}

for media_type, name in IMAGE_TYPES.items():
    schemathesis.openapi.media_type(media_type, st.sampled_from(PICTURES[name]))
schemathesis.openapi.media_type(RAW_TYPE, st.sampled_from(sum(PICTURES.values(), [])))

config = schemathesis.Config.from_dict(
    {"seed": 0, "generation": {"deterministic": True, "max-examples": EXAMPLES}}
)
app = create_app(SharedModel(str(MODEL), "onnx"))
schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=config)
without_a_model = schemathesis.openapi.from_wsgi(
    "/openapi.json", create_app(SharedModel("")), config=config
)


@schema.parametrize()
def test_whatever_is_asked_is_answered_as_described(case: schemathesis.Case) -> None:
    case.call_and_validate()


@without_a_model.parametrize()
def test_so_it_is_where_no_model_can_be_loaded(case: schemathesis.Case) -> None:
    # A service that has no model is down for everyone, and says so.
    case.call_and_validate(excluded_checks=[schemathesis.checks.not_a_server_error])


@pytest.mark.parametrize("name", FORMATS)
@settings(derandomize=True, max_examples=EXAMPLES, deadline=None, database=None)
@given(data=st.data())
def test_so_it_is_for_pictures_that_are_damaged(name: str, data: st.DataObject) -> None:
    whole = PICTURES[name][-1]
    at = data.draw(st.integers(0, len(whole)))
    body = data.draw(st.sampled_from([whole[:at], whole[:at] + b"\xff\x00" + whole[at + 2 :]]))
    case = schema["/classify"]["POST"].Case(body=body, media_type=RAW_TYPE)
    case.call_and_validate(excluded_checks=[positive_data_acceptance])
