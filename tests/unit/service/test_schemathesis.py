"""Requests that schemathesis makes up from /openapi.json: the service keeps all that it says there.

schemathesis leaves that route itself out; tests/unit/service/test_openapi.py has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws
from schemathesis import Case
from schemathesis.checks import positive_data_acceptance

from handler import create_app
from model_loader import SharedModel
from model_loader.image.formats import FORMATS
from service.documents import IMAGE_TYPES, RAW_TYPE
from service.incoming import Incoming
from tests.support.images import encode, noise

MODEL = Path(__file__).resolve().parents[3] / "models" / "flying-objects"
EXAMPLES = 100
"""Of each operation; the same ones in every run."""

PICTURES = {name: [encode(noise(*size), name) for size in ((1, 1), (40, 30))] for name in FORMATS}

for media_type in IMAGE_TYPES:
    name = media_type.removeprefix("image/").removeprefix("x-ms-").replace("jpg", "jpeg").upper()
    schemathesis.openapi.media_type(media_type, st.sampled_from(PICTURES[name]))
schemathesis.openapi.media_type(RAW_TYPE, st.sampled_from(sum(PICTURES.values(), [])))

config = schemathesis.Config.from_dict(
    {
        "seed": 0,
        "generation": {"deterministic": True, "max-examples": EXAMPLES},
        # 413 is how a file's size is refused; schemathesis' own list lacks it.
        "checks": {
            "negative_data_rejection": {
                "expected-statuses": ["400", "404", "405", "413", "415", "422", "503"]
            }
        },
    }
)
app = create_app(SharedModel(str(MODEL), "onnx"), Incoming("s3://a-bucket/incoming"))
schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=config)
without_a_model = schemathesis.openapi.from_wsgi(
    "/openapi.json", create_app(SharedModel("")), config=config
)


@pytest.fixture(scope="module", autouse=True)
def s3() -> Iterator[None]:
    """An S3 that has the bucket for uploads, and nothing in it."""
    with mock_aws():
        boto3.client("s3", "us-east-1").create_bucket(Bucket="a-bucket")
        yield


@schema.parametrize()
def test_whatever_is_asked_is_answered_as_described(case: Case[Any]) -> None:
    case.call_and_validate()


@without_a_model.parametrize()
def test_so_it_is_where_no_model_can_be_loaded(case: Case[Any]) -> None:
    # A service that has no model is down for everyone, and says so.
    case.call_and_validate(excluded_checks=[schemathesis.checks.not_a_server_error])


@pytest.mark.parametrize("name", FORMATS)
@settings(derandomize=True, max_examples=EXAMPLES // 2, deadline=None, database=None)
@given(data=st.data())
def test_so_it_is_for_pictures_that_are_damaged(name: str, data: st.DataObject) -> None:
    whole = PICTURES[name][-1]
    at = data.draw(st.integers(0, len(whole)))
    body = data.draw(st.sampled_from([whole[:at], whole[:at] + b"\xff\x00" + whole[at + 2 :]]))
    case = schema["/classify"]["POST"].Case(body=body, media_type=RAW_TYPE)
    case.call_and_validate(excluded_checks=[positive_data_acceptance])
