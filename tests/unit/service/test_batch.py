"""Images in S3: each is answered once, the last one lasts, and nothing is lost without a reason."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from model_loader import MAX_UPLOAD_BYTES, load_model
from service import batch
from service.batch import lambda_handler
from service.bucket import Bucket
from service.errors import BatchError
from tests.support.images import encode, noise
from tests.support.versions import build_version
from tests.unit.conftest import BUCKET
from training.published.publication import publish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).resolve().parents[3]
EVENT = json.loads((ROOT / "tools" / "local_aws" / "events" / "s3_object_created.json").read_text())
GULL = "batch/holidays/gull.png"
ANSWER = "results/holidays/gull.png.json"


def picture(seed: int) -> bytes:
    return encode(noise(16, 16, seed), "PNG")


def refusal(operation: str, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


@dataclass(frozen=True)
class Jobs:
    """A bucket with a model, whose function is called as S3 and the state machine call it."""

    s3: S3Client

    def put(self, key: str, data: bytes) -> dict[str, Any]:
        """Put an object; return the event that S3 makes of it."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
        event: dict[str, Any] = copy.deepcopy(EVENT)
        event["Records"][0]["s3"]["object"] |= {
            "key": quote_plus(key, safe="/"),
            "size": len(data),
        }
        return event

    def answer(self, key: str = ANSWER) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(
            self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        )
        return document

    def answers(self) -> list[str]:
        """Every version of every answer."""
        found = self.s3.list_object_versions(Bucket=BUCKET, Prefix="results/")
        return [version["Key"] for version in found.get("Versions", [])]


@pytest.fixture
def jobs(s3: S3Client, version: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    versioning: Any = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=versioning)
    publish(version, f"s3://{BUCKET}/models")
    monkeypatch.setenv("MODEL_PREFIX", "models/flying-objects")
    monkeypatch.setenv("MODEL_ENGINE", "onnx")
    monkeypatch.setenv("MODEL_REFRESH_SECONDS", "0")
    batch._open.cache_clear()
    yield Jobs(s3)
    batch._open.cache_clear()


@pytest.fixture
def broken(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Exception], None]:
    """Makes an operation of the function's own client fail."""

    def break_it(operation: str, error: Exception) -> None:
        def fail(**request: object) -> object:
            raise error

        monkeypatch.setattr(batch._open(BUCKET)[0]._client, operation, fail)

    return break_it


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen once, between an image's reading and the writing of its answer."""
    write = Bucket.write

    def later(self: Bucket, key: str, data: bytes, replaces: str | None) -> bool:
        monkeypatch.setattr(Bucket, "write", write)
        happens()
        return write(self, key, data, replaces)

    monkeypatch.setattr(Bucket, "write", later)


class TestAnEvent:
    def test_gets_the_answer_that_a_request_gets_and_what_it_is_the_answer_to(
        self, jobs: Jobs, version: Path
    ) -> None:
        event = jobs.put(GULL, picture(1))
        assert lambda_handler(event, None) == {"results": [ANSWER]}
        model = load_model(str(version), "onnx")
        expected = model.classify(picture(1))
        head = jobs.s3.head_object(Bucket=BUCKET, Key=GULL)
        assert jobs.answer() == {
            "file": "key",
            "predicted": f"That seems to be {expected.label}",
            "label": expected.label,
            "confidence": round(expected.confidence, 4),
            "scores": {label: round(score, 4) for label, score in expected.scores.items()},
            "filename": "gull.png",
            "model": {"name": "flying-objects", "version": model.metadata.version},
            "object": {
                "key": GULL,
                "etag": head["ETag"].strip('"'),
                "version": head["VersionId"],
            },
        }
        stored = jobs.s3.get_object(Bucket=BUCKET, Key=ANSWER)
        assert stored["ContentType"] == "application/json"

    @pytest.mark.parametrize(
        "name", ["day 1/gull & tern.png", "Möwe/鳥.png", "a+b%20c.png", "deep/er/still.png"]
    )
    def test_may_name_any_key(self, jobs: Jobs, name: str) -> None:
        event = jobs.put(f"batch/holidays/{name}", picture(1))
        assert lambda_handler(event, None) == {"results": [f"results/holidays/{name}.json"]}
        assert jobs.answer(f"results/holidays/{name}.json")["object"]["key"].endswith(name)

    def test_of_an_empty_folder_needs_no_answer(self, jobs: Jobs) -> None:
        assert lambda_handler(jobs.put("batch/holidays/", b""), None) == {"results": []}
        assert jobs.answers() == []

    def test_of_an_object_that_was_deleted_meanwhile_needs_no_answer(self, jobs: Jobs) -> None:
        event = jobs.put(GULL, picture(1))
        jobs.s3.delete_object(Bucket=BUCKET, Key=GULL)
        assert lambda_handler(event, None) == {"results": []}

    def test_may_be_about_several_objects_of_which_one_is_bad(self, jobs: Jobs) -> None:
        event = jobs.put("batch/holidays/bad.png", b"not an image")
        event["Records"] += jobs.put(GULL, picture(1))["Records"]
        with pytest.raises(BatchError, match=r"^batch/holidays/bad.png: The file is not an image"):
            lambda_handler(event, None)
        assert jobs.answers() == [ANSWER]


class TestAnItemOfTheBulk:
    def test_is_answered_like_an_event(self, jobs: Jobs) -> None:
        key = "bulk/holidays/a+b.png"
        jobs.put(key, picture(1))
        item = {"bucket": BUCKET, "key": key, "size": 1024}
        assert lambda_handler(item, None) == {"results": ["bulk-results/holidays/a+b.png.json"]}
        assert jobs.answer("bulk-results/holidays/a+b.png.json")["object"]["key"] == key

    def test_that_is_bad_fails_with_its_key_and_the_reason(self, jobs: Jobs) -> None:
        jobs.put("bulk/holidays/cut.png", picture(1)[:40])
        item = {"bucket": BUCKET, "key": "bulk/holidays/cut.png", "size": 40}
        with pytest.raises(BatchError, match=r"^bulk/holidays/cut.png: .*damaged"):
            lambda_handler(item, None)


class TestTheSameObject:
    def test_twice_gives_one_answer_and_is_classified_once(
        self, jobs: Jobs, broken: Callable[[str, Exception], None]
    ) -> None:
        event = jobs.put(GULL, picture(1))
        lambda_handler(event, None)
        broken("put_object", AssertionError("written again"))
        assert lambda_handler(event, None) == {"results": [ANSWER]}
        assert jobs.answers() == [ANSWER]

    def test_twice_at_once_gives_one_answer(
        self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        event = jobs.put(GULL, picture(1))
        meanwhile(monkeypatch, lambda: lambda_handler(event, None))
        assert lambda_handler(event, None) == {"results": [ANSWER]}
        assert jobs.answers() == [ANSWER]

    def test_is_answered_again_by_another_version_of_the_model(
        self, jobs: Jobs, tmp_path: Path
    ) -> None:
        event = jobs.put(GULL, picture(1))
        lambda_handler(event, None)
        newer = build_version(tmp_path / "newer", seed=2).version
        publish(tmp_path / "newer", f"s3://{BUCKET}/models")
        batch._open.cache_clear()
        lambda_handler(event, None)
        assert jobs.answer()["model"]["version"] == newer

    def test_is_answered_where_something_else_lies_in_the_answers_place(self, jobs: Jobs) -> None:
        event = jobs.put(GULL, picture(1))
        jobs.s3.put_object(Bucket=BUCKET, Key=ANSWER, Body=b"[]")
        lambda_handler(event, None)
        assert jobs.answer()["object"]["key"] == GULL


class TestAnObjectThatChanges:
    def test_gets_the_answer_to_its_new_bytes(self, jobs: Jobs) -> None:
        lambda_handler(jobs.put(GULL, picture(1)), None)
        first = jobs.answer()
        lambda_handler(jobs.put(GULL, picture(2)), None)
        assert jobs.answer()["scores"] != first["scores"]
        assert jobs.answer()["object"]["version"] != first["object"]["version"]

    def test_keeps_it_when_events_come_in_another_order(self, jobs: Jobs) -> None:
        older, newer = jobs.put(GULL, picture(1)), jobs.put(GULL, picture(2))
        lambda_handler(newer, None)
        last = jobs.answer()
        lambda_handler(older, None)
        assert jobs.answer() == last
        assert jobs.answers() == [ANSWER]

    @pytest.mark.parametrize("is_answered", [False, True], ids=["first", "again"])
    def test_while_the_older_bytes_are_being_answered_keeps_the_newer_answer(
        self, jobs: Jobs, is_answered: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if is_answered:
            lambda_handler(jobs.put(GULL, picture(0)), None)
        older = jobs.put(GULL, picture(1))
        meanwhile(monkeypatch, lambda: lambda_handler(jobs.put(GULL, picture(2)), None))
        lambda_handler(older, None)
        head = jobs.s3.head_object(Bucket=BUCKET, Key=GULL)
        assert jobs.answer()["object"]["version"] == head["VersionId"]

    def test_whose_answer_was_deleted_meanwhile_gets_it_again(
        self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lambda_handler(jobs.put(GULL, picture(1)), None)
        event = jobs.put(GULL, picture(2))
        meanwhile(monkeypatch, lambda: jobs.s3.delete_object(Bucket=BUCKET, Key=ANSWER))
        lambda_handler(event, None)
        head = jobs.s3.head_object(Bucket=BUCKET, Key=GULL)
        assert jobs.answer()["object"]["version"] == head["VersionId"]

    def test_without_end_is_tried_again_later(
        self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Bucket, "write", lambda *arguments, **options: False)
        with pytest.raises(BatchError, match=f"{GULL}: {ANSWER} was changed by others 5 times"):
            lambda_handler(jobs.put(GULL, picture(1)), None)


class TestTheReasonOfAFailure:
    @pytest.mark.parametrize("key", ["batch/gull.png", "batch//gull.png", "incoming/holidays/gull"])
    def test_is_a_place_without_a_job(self, jobs: Jobs, key: str) -> None:
        with pytest.raises(BatchError, match=f"^{key}: The object lies in no job. Put it under"):
            lambda_handler(jobs.put(key, picture(1)), None)

    def test_is_too_many_bytes_which_are_not_read(self, jobs: Jobs) -> None:
        with pytest.raises(BatchError, match=r"The object has 50.0 MB; at most 50 MB"):
            lambda_handler(jobs.put(GULL, bytes(MAX_UPLOAD_BYTES + 1)), None)

    def test_is_a_missing_model(self, jobs: Jobs) -> None:
        event = jobs.put(GULL, picture(1))
        jobs.s3.delete_object(Bucket=BUCKET, Key="models/flying-objects/current.json")
        with pytest.raises(BatchError, match=f"^{GULL}: There is no current.json"):
            lambda_handler(event, None)

    @pytest.mark.parametrize("operation", ["get_object", "put_object"])
    def test_is_an_s3_that_does_not_answer(
        self, jobs: Jobs, broken: Callable[[str, Exception], None], operation: str
    ) -> None:
        event = jobs.put(GULL, picture(1))
        broken(operation, EndpointConnectionError(endpoint_url="https://s3"))
        with pytest.raises(BatchError, match=f"^{GULL}: .* cannot be (read|written): Could not"):
            lambda_handler(event, None)

    def test_is_a_role_that_may_not_write(
        self, jobs: Jobs, broken: Callable[[str, Exception], None]
    ) -> None:
        event = jobs.put(GULL, picture(1))
        broken("put_object", refusal("PutObject", "AccessDenied"))
        with pytest.raises(BatchError, match=f"^{GULL}: .* cannot be written: .*AccessDenied"):
            lambda_handler(event, None)

    def test_is_a_role_that_may_not_read_although_s3_says_the_same_of_what_is_gone(
        self, jobs: Jobs, broken: Callable[[str, Exception], None]
    ) -> None:
        event = jobs.put(GULL, picture(1))
        broken("get_object", refusal("GetObject", "AccessDenied"))
        with pytest.raises(BatchError, match=f"^{GULL}: Reading s3://.* is not allowed"):
            lambda_handler(event, None)
        jobs.s3.delete_object(Bucket=BUCKET, Key=GULL)
        assert lambda_handler(event, None) == {"results": []}

    def test_is_a_listing_that_is_refused_too(
        self, jobs: Jobs, broken: Callable[[str, Exception], None]
    ) -> None:
        event = jobs.put(GULL, picture(1))
        broken("get_object", refusal("GetObject", "AccessDenied"))
        broken("list_objects_v2", refusal("ListObjectsV2", "AccessDenied"))
        with pytest.raises(BatchError, match=f"^{GULL}: .* cannot be listed"):
            lambda_handler(event, None)


def test_the_entry_point_starts_without_what_only_http_needs() -> None:
    unwanted = ("flask", "werkzeug", "serverless_wsgi", "boto3", "torch", "onnxruntime")
    code = f"import sys, service.batch; print(*[m for m in {unwanted} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_each_object_leaves_a_line_in_the_log_without_its_key(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "batch")
    whole, damaged = picture(1), picture(2)[:60]
    lambda_handler(jobs.put(GULL, whole), None)
    with pytest.raises(BatchError):
        lambda_handler(jobs.put(GULL, damaged), None)
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["route"], first["status"], first["bytes"]) == ("batch", 200, len(whole))
    assert first["label"] == jobs.answer()["label"]
    assert (second["status"], second["error"]) == (422, "Image cannot be decoded")
    assert (second["images"], second["refused"]) == (1, 1)
    assert "gull" not in json.dumps([first, second])
