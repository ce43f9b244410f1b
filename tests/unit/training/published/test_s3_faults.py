"""Whatever answers in the place of S3, one true sentence says what is wrong and what to do."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from werkzeug.wrappers import Request, Response

import model_loader.s3
from model_loader import Metadata, ModelUnavailableError, load_model
from tests.support.command_line import mistake
from tests.support.misbehaving_s3 import (
    Fault,
    MisbehavingS3,
    breaking,
    page,
    redirecting,
    refusal,
    refusing,
    silent,
    stalling,
)
from tests.support.servers import serving
from training.errors import TrainingError
from training.published import destination, s3_access
from training.published.publication import publish
from training.published.stored_versions import list_versions, roll_back, verified

STORE = "s3://a-bucket/models"
ADDRESS = f"{STORE}/flying-objects"
OVER = threading.Event()

FAULTS: dict[str, tuple[Fault, str]] = {
    "a sign-in page": (page(200), "what answered is not S3. Check AWS_ENDPOINT_URL"),
    "a page of 404": (page(404), "what answered is not S3. Check AWS_ENDPOINT_URL"),
    "a page of 403": (page(403), "what answered is not S3. Check AWS_ENDPOINT_URL"),
    "a redirect 301": (redirecting(301), "redirected instead of answered. Check AWS_REGION"),
    "a redirect 302": (redirecting(302), "redirected instead of answered. Check AWS_REGION"),
    "a redirect 307": (redirecting(307), "redirected instead of answered. Check AWS_REGION"),
    "another region": (refusing(301, "PermanentRedirect"), "AWS_REGION.* the bucket's"),
    "another region, signed": (
        refusing(400, "AuthorizationHeaderMalformed"),
        "Set AWS_REGION to the bucket's",
    ),
    "no right": (refusing(403, "AccessDenied"), "s3:GetObject"),
    "expired": (refusing(400, "ExpiredToken"), "credentials have expired. Sign in again"),
    "a wrong key": (refusing(403, "InvalidAccessKeyId"), "Correct AWS_PROFILE"),
    "a wrong secret": (refusing(403, "SignatureDoesNotMatch"), "Correct AWS_PROFILE"),
    "a wrong clock": (refusing(403, "RequestTimeTooSkewed"), "Set the clock"),
    "no bucket": (refusing(404, "NoSuchBucket"), "bucket.* does not exist.*create the bucket"),
    "busy": (refusing(503, "SlowDown"), "trouble of its own. Try again"),
    "broken": (refusing(500, "InternalError"), "trouble of its own. Try again"),
    "unheard of": (refusing(400, "Surprise"), r"As Surprise has it \(Surprise\)"),
    "silence": (silent(OVER), "AWS_ENDPOINT_URL"),
    "silence in the middle": (stalling(OVER), "AWS_ENDPOINT_URL"),
    "an end in the middle": (breaking, "AWS_ENDPOINT_URL"),
}

OPERATIONS: dict[str, Callable[[Path], object]] = {
    "publish": lambda version: publish(version, STORE),
    "versions": lambda _: list_versions(ADDRESS),
    "rollback": lambda _: roll_back(ADDRESS),
    "verify": lambda _: verified(ADDRESS).__enter__(),
    "load_model": lambda _: load_model(ADDRESS, "onnx"),
}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MisbehavingS3]:
    """An S3 that behaves, until a test says otherwise, and clients with little patience."""
    OVER.clear()
    app = MisbehavingS3()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(s3_access, "READ_SECONDS", 0.3)
    monkeypatch.setitem(model_loader.s3._CLIENT, "read_timeout", "300ms")
    with serving(app) as address:
        for name, value in (
            ("AWS_ENDPOINT_URL", address),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ):
            monkeypatch.setenv(name, value)
        yield app
        OVER.set()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What is said on standard error."""
    text = StringIO()
    for module in (s3_access, destination):
        monkeypatch.setattr(module, "say", lambda sentence: print(sentence, file=text))
    return text


def test_a_store_that_behaves_is_published_to_and_loaded_from(
    s3: MisbehavingS3, version: Path, said: StringIO
) -> None:
    publish(version, STORE)
    for operation in OPERATIONS.values():
        if operation is not OPERATIONS["rollback"]:  # there is none to go back to
            operation(version)
    metadata = Metadata.from_json((version / "model.json").read_bytes())
    assert load_model(ADDRESS, "onnx").metadata == metadata
    assert said.getvalue() == ""


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_true_sentence_with_the_remedy(
    s3: MisbehavingS3, version: Path, fault: str, operation: str
) -> None:
    publish(version, STORE)
    s3.fault, expected = FAULTS[fault]
    begin = time.monotonic()
    with pytest.raises((TrainingError, ModelUnavailableError)) as error:
        OPERATIONS[operation](version)
    assert time.monotonic() - begin < 10
    assert re.search(expected, str(error.value)), str(error.value)
    assert "s3://a-bucket/models/flying-objects" in str(error.value)
    assert not re.search(r"\n|\.\.|Debug source|recursion|Traceback|None", str(error.value))


@pytest.mark.parametrize("fault", [name for name in FAULTS if "middle" not in name])
def test_a_fault_while_files_are_written_is_such_a_sentence_and_is_got_over(
    s3: MisbehavingS3, version: Path, fault: str
) -> None:
    bad, expected = FAULTS[fault]
    s3.fault = lambda request: bad(request) if request.method == "PUT" else None
    with pytest.raises(TrainingError, match=expected):
        publish(version, STORE)
    s3.fault = None
    assert load_model(publish(version, STORE), "onnx").metadata.name == "flying-objects"


@pytest.mark.parametrize("status", [400, 501])
def test_a_store_without_conditional_writes_is_called_so(
    s3: MisbehavingS3, version: Path, status: int
) -> None:
    def refuse(request: Request) -> Response | None:
        conditional = {"If-None-Match", "If-Match"} & {name for name, _ in request.headers}
        return refusal(status, "NotImplemented") if conditional else None

    s3.fault = refuse
    with pytest.raises(TrainingError, match="has no conditional writes.*Use a store that has"):
        publish(version, STORE)
    assert s3.objects == {}


def test_a_store_that_ignores_conditions_is_named_once(
    s3: MisbehavingS3, version: Path, said: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MisbehavingS3, "_put", put_anyway)
    assert load_model(publish(version, STORE), "onnx").metadata.name == "flying-objects"
    assert said.getvalue().count("does not check the conditions of a write") == 1


def put_anyway(s3: MisbehavingS3, request: Request, name: str, _: str | None) -> Response:
    s3.objects[name] = request.get_data()
    return Response("", 200, {"ETag": '"any"'})


@pytest.mark.parametrize("operation", ["publish", "versions", "rollback", "verify"])
def test_who_waits_is_told_for_what_and_how_long(
    s3: MisbehavingS3,
    version: Path,
    said: StringIO,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
) -> None:
    monkeypatch.setattr(s3_access, "SAY_AFTER_SECONDS", 0.05)
    s3.fault = silent(OVER)
    with pytest.raises((TrainingError, ModelUnavailableError)):
        OPERATIONS[operation](version)
    (line,) = said.getvalue().splitlines()
    place = ADDRESS if operation == "verify" else f"{ADDRESS}/current.json"
    assert line == f"Waiting for {place}; given up where nothing comes for 0.3 s, 2 times."
    assert len(s3.requests) == 2


def test_a_silent_s3_is_given_up_within_half_a_minute() -> None:
    assert s3_access.ATTEMPTS * (s3_access.CONNECT_SECONDS + s3_access.READ_SECONDS) <= 30


def test_nobody_who_listens_is_named(
    version: Path, monkeypatch: pytest.MonkeyPatch, s3: MisbehavingS3
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TrainingError, match="127.0.0.1:9.*Check the bucket's name, the network"):
        publish(version, STORE)


def test_missing_credentials_are_named(
    version: Path, monkeypatch: pytest.MonkeyPatch, s3: MisbehavingS3, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # which keeps what it found once
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(TrainingError, match="locate credentials. Set AWS_PROFILE"):
        publish(version, STORE)


def test_the_command_line_ends_with_the_sentence(
    s3: MisbehavingS3, version: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(version, tmp_path / "model")
    s3.fault = page(200)
    for command in (
        ("publish", tmp_path / "model", STORE),
        ("versions", ADDRESS),
        ("verify", ADDRESS),
    ):
        assert "what answered is not S3" in mistake(capsys, *command)
