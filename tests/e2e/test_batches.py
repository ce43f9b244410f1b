"""Many images: by events, one after another as they come, and by the map, all of a folder."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model_loader import load_model
from tests.e2e.role_probe import RoleProbe, role_probe
from tests.e2e.service import BATCHES, Service, change
from tests.support.images import encode, noise, png_that_claims
from tools.local_aws.ministack import Ministack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FUNCTION = f"{BATCHES}-batch"

BATCHES_FOLDER = "deploy/batches"

BAD = {
    "no image.png": b"not an image",
    "empty.png": b"",
    "cut.png": encode(noise(32, 32), "PNG")[:100],
    "huge.png": png_that_claims(20_000, 20_000),
    "depth.tiff": encode(Image.new("F", (8, 8)), "TIFF"),
}
REASONS = {
    "no image.png": "is not an image that can be read here",
    "empty.png": "The file is empty",
    "cut.png": "is damaged or cut short",
    "huge.png": "at most 50 million are taken",
    "depth.tiff": "32-bit pixels",
}
"""Of each bad image, a part of why it cannot be answered."""

_UPLOADS_AT_ONCE = 4
_EVENTS_AT_ONCE = 3
_WAIT_SECONDS = 200.0


def pictures(count: int) -> dict[str, bytes]:
    """Return images that differ, under names that a URL would write otherwise."""
    return {f"day 1/gull+{i}.png": encode(noise(8, 8, i), "PNG") for i in range(count)}


@dataclass(frozen=True)
class Jobs:
    """The service's folders of images and answers."""

    service: Service

    @cached_property
    def s3(self) -> Any:
        return self.service.aws.client("s3")

    @cached_property
    def sqs(self) -> Any:
        return self.service.aws.client("sqs")

    def put(self, folder: str, images: dict[str, bytes]) -> None:
        """Put images, several at once, where nobody is told of them."""
        with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
            list(pool.map(lambda name: self.put_one(f"{folder}/{name}", images[name]), images))

    def put_one(self, key: str, data: bytes) -> None:
        self.s3.put_object(Bucket=self.service.bucket, Key=key, Body=data)

    def tell_of(self, job: str, images: dict[str, bytes]) -> None:
        """Put images that S3 tells the function of.

        For an event that finds every function busy ministack starts another one, and a hundred
        that start together are done by none. So no more than a few wait for their answers.
        """
        waiting: deque[str] = deque()
        for name, data in images.items():
            self.put_one(f"batch/{job}/{name}", data)
            if name not in BAD:
                waiting.append(name)
            if len(waiting) > _EVENTS_AT_ONCE:
                self.wait_for(job, waiting.popleft())
        for name in waiting:
            self.wait_for(job, name)

    def wait_for(self, job: str, name: str) -> None:
        """Wait until an image has an answer, whichever."""
        key = f"results/{job}/{name}.json"

        def is_there() -> bool:
            found = self.s3.list_objects_v2(Bucket=self.service.bucket, Prefix=key)
            return bool(found["KeyCount"])

        wait_until(is_there, f"{name} was answered", poll_seconds=0.02)

    def answered(self, job: str, folder: str = "results") -> dict[str, int]:
        """Return of each image that has an answer how many versions of it there are."""
        counts: dict[str, int] = {}
        pages = self.s3.get_paginator("list_object_versions")
        prefix = f"{folder}/{job}/"
        for page in pages.paginate(Bucket=self.service.bucket, Prefix=prefix):
            for found in page.get("Versions", []):
                name = found["Key"].removeprefix(prefix).removesuffix(".json")
                counts[name] = counts.get(name, 0) + 1
        return counts

    def answer(self, job: str, name: str) -> dict[str, Any]:
        key = f"results/{job}/{name}.json"
        stored = self.s3.get_object(Bucket=self.service.bucket, Key=key)["Body"].read()
        document: dict[str, Any] = json.loads(stored)
        return document

    def failures(self) -> list[dict[str, Any]]:
        """Take all that is in the queue of failures."""
        queue = self.service.outputs(BATCHES)["BatchFailures"]
        taken: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
            "Messages", []
        ):
            for message in messages:
                taken.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return taken

    def failing(self) -> int:
        queue = self.service.outputs(BATCHES)["BatchFailures"]
        name = "ApproximateNumberOfMessages"
        found = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
        return int(found["Attributes"][name])


def wait_until(is_so: Callable[[], bool], what: str, poll_seconds: float = 0.2) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"Waited in vain until {what}"
        time.sleep(poll_seconds)


@pytest.fixture(scope="module")
def jobs(aws: Ministack, checkout: Path, version: Path) -> Iterator[Jobs]:
    """The service and its batches, deployed, a model published and the function warm."""
    service = Service(aws, checkout)
    service.osls("deploy")
    service.publish(version)
    change(checkout / BATCHES_FOLDER / "serverless.yml", "concurrency: 50", "concurrency: 3")
    service.osls("deploy", folder=BATCHES_FOLDER)
    jobs = Jobs(service)
    jobs.tell_of("first", pictures(1))
    yield jobs
    jobs.s3.close()
    jobs.sqs.close()
    service.osls("remove", folder=BATCHES_FOLDER)
    service.osls("remove")


@pytest.fixture(scope="module")
def events(jobs: Jobs) -> Jobs:
    """After 200 images of which 5 are bad."""
    jobs.tell_of("holidays", pictures(195) | BAD)
    wait_until(lambda: jobs.failing() == len(BAD), "all others were dead letters")
    return jobs


@pytest.fixture(scope="module")
def probe(jobs: Jobs) -> Iterator[RoleProbe]:
    with role_probe(jobs.service.aws, FUNCTION) as probe:
        yield probe


def test_of_200_images_each_is_answered_once_or_is_a_dead_letter_with_its_reason(
    events: Jobs,
) -> None:
    letters = events.failures()
    reasons = {}
    for letter in letters:
        (record,) = letter["requestPayload"]["Records"]
        assert record["s3"]["bucket"]["name"] == events.service.bucket
        assert letter["requestContext"]["condition"] == "RetriesExhausted"
        key, _, reason = letter["responsePayload"]["errorMessage"].partition(": ")
        reasons[key.removeprefix("batch/holidays/")] = reason
    assert len(letters) == len(reasons) == 5
    assert reasons.keys() == REASONS.keys()
    for name, part in REASONS.items():
        assert part in reasons[name]
    assert events.answered("holidays") == dict.fromkeys(pictures(195), 1)


def test_s3_tells_the_function_of_what_is_put_under_batch_and_of_nothing_else(jobs: Jobs) -> None:
    told = jobs.s3.get_bucket_notification_configuration(Bucket=jobs.service.bucket)
    (of_objects,) = told["LambdaFunctionConfigurations"]
    assert of_objects["Events"] == ["s3:ObjectCreated:*"]
    assert of_objects["LambdaFunctionArn"].endswith(f":function:{FUNCTION}")
    (rule,) = of_objects["Filter"]["Key"]["FilterRules"]
    assert {name.lower(): value for name, value in rule.items()} == {
        "name": "prefix",
        "value": "batch/",
    }
    assert not {"QueueConfigurations", "TopicConfigurations"} & told.keys()


def test_a_bad_image_was_tried_three_times(events: Jobs) -> None:
    logs = events.service.aws.client("logs")
    group = f"/aws/lambda/{FUNCTION}"
    found = logs.filter_log_events(logGroupName=group, filterPattern='"BatchError: batch"')
    said = [event["message"] for event in found["events"]]
    for name in BAD:
        assert sum(message.count(f"BatchError: batch/holidays/{name}:") for message in said) == 3


def test_an_answer_is_that_of_the_model_here(events: Jobs, version: Path) -> None:
    (name, data), *_ = pictures(1).items()
    expected = load_model(str(version), "onnx").classify(data)
    answer = events.answer("holidays", name)
    assert answer["scores"] == pytest.approx(expected.scores, abs=1e-4)
    assert answer["object"]["key"] == f"batch/holidays/{name}"


def test_the_same_images_again_have_the_answers_that_they_had(events: Jobs) -> None:
    again = pictures(5)
    events.tell_of("holidays", again | {"last.png": next(iter(again.values()))})
    time.sleep(1)  # the events of the others came before that of the last
    counts = events.answered("holidays")
    assert {name: counts[name] for name in again} == dict.fromkeys(again, 1)


def test_an_image_that_is_replaced_is_answered_again(events: Jobs) -> None:
    (name, data), *_ = pictures(1).items()
    before = events.answer("holidays", name)
    events.tell_of("holidays", {name: encode(noise(8, 8, 1000), "PNG")})
    wait_until(lambda: events.answered("holidays")[name] == 2, "it was answered again")
    assert events.answer("holidays", name)["object"]["etag"] != before["object"]["etag"]
    events.tell_of("holidays", {name: data})
    wait_until(lambda: events.answered("holidays")[name] == 3, "it was answered a third time")
    assert events.answer("holidays", name)["scores"] == before["scores"]


def test_of_1000_images_the_map_answers_all_but_the_bad_ones(jobs: Jobs) -> None:
    images = pictures(995)
    jobs.put("bulk/archive", images | BAD)
    assert jobs.answered("archive", "bulk-results") == {}  # nobody was told
    steps = jobs.service.aws.client("stepfunctions")
    machine = jobs.service.outputs(BATCHES)["BulkStateMachine"]
    execution = steps.start_execution(stateMachineArn=machine, input='{"job": "archive"}')
    run = {"executionArn": execution["executionArn"]}
    wait_until(lambda: steps.describe_execution(**run)["status"] != "RUNNING", "the map ended")
    assert steps.describe_execution(**run)["status"] == "SUCCEEDED"
    (map_run,) = steps.list_map_runs(**run)["mapRuns"]
    described = steps.describe_map_run(mapRunArn=map_run["mapRunArn"])
    assert described["maxConcurrency"] == 3
    assert described["itemCounts"]["succeeded"] == 995
    assert described["itemCounts"]["failed"] == 5
    assert jobs.answered("archive", "bulk-results") == dict.fromkeys(images, 1)
    letters = {letter["requestPayload"]["key"]: letter for letter in jobs.failures()}
    assert letters.keys() == {f"bulk/archive/{name}" for name in BAD}
    for name, part in REASONS.items():
        assert part in letters[f"bulk/archive/{name}"]["responsePayload"]["errorMessage"]


def test_a_dead_letter_is_tried_again_by_sending_the_function_what_it_holds(jobs: Jobs) -> None:
    jobs.put_one("batch/mended/gull.png", b"not an image")
    wait_until(lambda: jobs.failing() == 1, "it was a dead letter")
    (letter,) = jobs.failures()
    jobs.put("bulk/mended", pictures(1))
    (name,) = pictures(1)
    payload = {"bucket": jobs.service.bucket, "key": f"bulk/mended/{name}", "size": 1}
    functions = jobs.service.aws.client("lambda")
    for request in (letter["requestPayload"], payload):
        functions.invoke(FunctionName=FUNCTION, InvocationType="Event", Payload=json.dumps(request))
    wait_until(lambda: name in jobs.answered("mended", "bulk-results"), "it was answered")
    wait_until(lambda: jobs.failing() == 1, "the other one was a dead letter again")
    jobs.failures()


@pytest.mark.parametrize(
    "folder", ["batch", "bulk", "results", "bulk-results", "models/flying-objects"]
)
def test_the_functions_role_reads_images_answers_and_its_model(
    probe: RoleProbe, jobs: Jobs, folder: str
) -> None:
    place = {"Bucket": jobs.service.bucket, "Key": f"{folder}/an-object"}
    jobs.s3.put_object(**place, Body=b"1")
    assert probe.try_to("s3", "get_object", **place) == "allowed"


@pytest.mark.parametrize("folder", ["incoming", "models/another", "runs", "elsewhere"])
def test_the_functions_role_reads_nothing_else(probe: RoleProbe, jobs: Jobs, folder: str) -> None:
    place = {"Bucket": jobs.service.bucket, "Key": f"{folder}/an-object"}
    jobs.s3.put_object(**place, Body=b"1")
    assert probe.try_to("s3", "get_object", **place) == "AccessDenied"
    listing = {"Bucket": jobs.service.bucket, "Prefix": f"{folder}/"}
    assert probe.try_to("s3", "list_objects_v2", **listing) == "AccessDenied"


def test_the_functions_role_writes_answers_and_nothing_else(probe: RoleProbe, jobs: Jobs) -> None:
    def write(bucket: str, key: str) -> str:
        return probe.try_to("s3", "put_object", Bucket=bucket, Key=key)

    for folder in ("results", "bulk-results"):
        assert write(jobs.service.bucket, f"{folder}/an-object") == "allowed"
    for folder in ("batch", "bulk", "incoming", "models/flying-objects", "runs"):
        assert write(jobs.service.bucket, f"{folder}/an-object") == "AccessDenied"
    jobs.s3.create_bucket(Bucket="another-bucket")
    assert write("another-bucket", "results/an-object") == "AccessDenied"
    jobs.s3.delete_bucket(Bucket="another-bucket")
