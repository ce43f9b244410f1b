"""Uploads in an S3 that holds each form to what was signed: key, type, size, time, signature."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from werkzeug.test import Client, TestResponse

from handler import create_app
from model_loader import MAX_UPLOAD_BYTES, SharedModel, load_model
from service import uploads as module
from service.uploads import Uploads
from tests.support.command_line import run
from tests.support.problems import problem
from tests.support.servers import serving
from tools.local_aws.install import ROOT
from tools.local_aws.seaweedfs import BUCKET, SeaweedFS, lead_to

pytestmark = pytest.mark.e2e

Form = dict[str, Any]


@pytest.fixture
def service(seaweedfs: SeaweedFS, version: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of a service whose uploads are kept there."""
    lead_to(seaweedfs, monkeypatch)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return Client(create_app(SharedModel(str(version)), Uploads(f"s3://{BUCKET}/incoming")))


def begin(service: Client, media_type: str = "image/jpeg") -> Form:
    response = service.post("/uploads", json={"content_type": media_type})
    assert response.status_code == 201
    form: Form = response.get_json()
    return form


def send(form: Form, data: bytes, **changed: str) -> tuple[int, str]:
    """Send a form with other fields than were signed; return the status, and S3's word for it."""
    response = requests.post(
        form["url"], data={**form["fields"], **changed}, files={"file": data}, timeout=60
    )
    _, _, rest = response.text.partition("<Code>")
    return response.status_code, rest.partition("<")[0]


def classify(service: Client, key: str) -> TestResponse:
    return service.post("/classify", json={"key": key})


def keys() -> set[str]:
    found = boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {item["Key"] for item in found}


def test_an_image_too_large_for_a_request_is_uploaded_and_answered(
    service: Client, version: Path, large_photo: Path
) -> None:
    photo = large_photo.read_bytes()
    form = begin(service)
    assert send(form, photo) == (204, "")
    answer = classify(service, form["key"])
    assert answer.status_code == 200
    assert answer.get_json()["label"] == load_model(str(version)).classify(photo).label


def test_predict_uploads_it_by_itself(
    service: Client, version: Path, large_photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(service.application) as address:
        assert run("predict", large_photo, "--endpoint", address, "--json") == 0
    (answer,) = json.loads(capsys.readouterr().out)
    expected = load_model(str(version)).classify(large_photo.read_bytes())
    assert answer["scores"] == pytest.approx(expected.scores, abs=1e-4)


def test_the_commands_of_the_api_page_work(
    service: Client, version: Path, large_photo: Path, tmp_path: Path
) -> None:
    (commands,) = re.findall(
        r"```sh\n(curl -X POST [^`]+/uploads .+?)```",
        (ROOT / "docs" / "api.md").read_text(),
        re.DOTALL,
    )
    shutil.copy(large_photo, tmp_path / "photo.jpg")
    with serving(service.application) as address:
        done = subprocess.run(
            ["sh", "-e", "-c", commands.replace("https://…/dev", address)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
    answer = json.loads(done.stdout)
    assert answer["label"] == load_model(str(version)).classify(large_photo.read_bytes()).label


def test_the_file_may_have_any_size_up_to_the_limit_and_none_above(service: Client) -> None:
    form = begin(service)
    assert send(form, bytes(MAX_UPLOAD_BYTES + 1)) == (400, "EntityTooLarge")
    assert send(form, b"") == (400, "EntityTooSmall")
    assert form["key"] not in keys()
    assert send(form, bytes(MAX_UPLOAD_BYTES)) == (204, "")
    assert form["key"] in keys()
    problem(classify(service, form["key"]), 415)


@pytest.mark.parametrize(
    "changed",
    [
        {"Content-Type": "text/html"},
        {"key": "incoming/" + "k" * 32},
        {"key": "models/flying-objects/current.json"},
    ],
    ids=str,
)
def test_a_form_with_other_fields_is_refused(service: Client, changed: dict[str, str]) -> None:
    before = keys()
    assert send(begin(service), b"a photograph", **changed) == (403, "AccessDenied")
    assert keys() == before


def test_a_form_whose_policy_was_changed_is_refused(service: Client) -> None:
    form = begin(service)
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    policy["conditions"][1] = ["content-length-range", 1, 10**9]
    wider = base64.b64encode(json.dumps(policy).encode()).decode()
    assert send(form, b"a photograph", policy=wider) == (403, "SignatureDoesNotMatch")
    assert form["key"] not in keys()


def test_a_form_is_taken_for_its_time_and_not_after_it(
    service: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS", 1)
    form = begin(service)
    assert send(form, b"in time") == (204, "")
    time.sleep(2.1)
    assert send(form, b"too late") == (403, "AccessDenied")
    assert boto3.client("s3").get_object(Bucket=BUCKET, Key=form["key"])["Body"].read() == (
        b"in time"
    )


def test_nothing_but_uploads_can_be_read(service: Client) -> None:
    s3 = boto3.client("s3")
    for key in ("models/secret", f"models/{'k' * 32}", "incoming/secret"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"a secret")
        problem(classify(service, key), 404)
    problem(classify(service, "incoming/../models/secret"), 404)


def test_a_form_that_was_not_sent_is_404(service: Client) -> None:
    assert "its file was not sent" in problem(classify(service, begin(service)["key"]), 404)


def test_wrong_credentials_read_nothing(service: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    form = begin(service)
    assert send(form, b"a photograph") == (403, "SignatureDoesNotMatch")
    response = classify(service, form["key"])
    assert "bucket" not in problem(response, 503)
    assert response.headers["Retry-After"]
