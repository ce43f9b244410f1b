"""Which objects an event is about, however S3's news of them comes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.batch import lambda_handler
from service.batch_events import Item, read_item, unwrap
from service.errors import BatchError

pytestmark = pytest.mark.fuzz

EVENTS = Path(__file__).resolve().parents[3] / "tools" / "local_aws" / "events"
NOTIFICATION = json.loads((EVENTS / "s3_object_created.json").read_text())
EVENT_BRIDGE = json.loads((EVENTS / "s3_eventbridge.json").read_text())
TEST = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "a-bucket", "RequestId": "1"}


def notification(key: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    event: dict[str, Any] = copy.deepcopy(NOTIFICATION)
    event["Records"][0]["eventName"] = name
    event["Records"][0]["s3"]["object"]["key"] = quote_plus(key, safe="/")
    return event


def event_bridge(key: str, kind: str = "Object Created") -> dict[str, Any]:
    event: dict[str, Any] = copy.deepcopy(EVENT_BRIDGE)
    event["detail-type"] = kind
    event["detail"]["object"]["key"] = key
    return event


def bulk(key: str) -> dict[str, Any]:
    return {"bucket": "a-bucket", "key": key, "size": 1024}


def sqs(*events: object) -> dict[str, Any]:
    return {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(event)} for event in events]}


def sns(event: object) -> dict[str, Any]:
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(event)}}]}


def sns_in_sqs(event: object) -> dict[str, Any]:
    return sqs({"Type": "Notification", "Message": json.dumps(event)})


def as_it_is(event: object) -> object:
    return event


def items(event: object) -> list[Item]:
    return [item for record in unwrap(event) for item in read_item(record)]


KEYS = [
    "batch/holidays/gull.jpg",
    "batch/holidays/a+b%20c.png",
    "batch/holidays/day 1/gull & tern.png",
    "batch/Möwe/鳥.png",
    "batch/holidays/two\nlines.png",
    "batch/holidays/100%.png",
    "batch/j/" + "x" * 1016,
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:40])
@pytest.mark.parametrize("wrap", [as_it_is, sqs, sns, sns_in_sqs])
@pytest.mark.parametrize("make", [notification, event_bridge, bulk])
def test_every_kind_of_event_may_be_wrapped_and_name_any_key(
    make: Callable[[str], dict[str, Any]], wrap: Callable[[object], object], key: str
) -> None:
    found = items(wrap(make(key)))
    assert found[0] == Item("a-bucket", key, 1024)
    assert len(found) == 1 or make is event_bridge


def test_a_key_of_eventbridge_is_looked_for_as_it_is_and_decoded() -> None:
    keys = [item.key for item in items(event_bridge("batch/j/a+b.png"))]
    assert keys == ["batch/j/a+b.png", "batch/j/a b.png"]
    assert [item.key for item in items(event_bridge("batch/j/a.png"))] == ["batch/j/a.png"]


def test_a_message_may_hold_several_events() -> None:
    event = sqs(notification("batch/j/1"), TEST, event_bridge("batch/j/2"))
    assert [item.key for item in items(event)] == ["batch/j/1", "batch/j/2"]


@pytest.mark.parametrize("wrap", [as_it_is, sqs, sns, sns_in_sqs])
def test_s3s_own_test_is_passed_over(wrap: Callable[[object], object]) -> None:
    assert lambda_handler(wrap(TEST), None) == {"results": []}


def test_an_event_without_records_needs_no_answer() -> None:
    assert lambda_handler({"Records": []}, None) == {"results": []}


@pytest.mark.parametrize("wrap", [as_it_is, sqs, sns, sns_in_sqs])
@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (notification("batch/j/x", "ObjectRemoved:Delete"), "'ObjectRemoved:Delete'"),
        (notification("batch/j/x", "ObjectRestore:Completed"), "'ObjectRestore:Completed'"),
        (notification("batch/j/x", "s3:ObjectTagging:Put"), "'s3:ObjectTagging:Put'"),
        (event_bridge("batch/j/x", "Object Deleted"), "'Object Deleted'"),
        (event_bridge("batch/j/x", "Object Tags Added"), "'Object Tags Added'"),
    ],
)
def test_news_of_anything_but_a_new_object_is_refused_by_its_name(
    wrap: Callable[[object], object], event: object, kind: str
) -> None:
    with pytest.raises(BatchError, match=f"^batch/j/x: The event is {kind}; only new objects"):
        lambda_handler(wrap(event), None)


@pytest.mark.parametrize("wrap", [as_it_is, sqs, sns, sns_in_sqs])
@pytest.mark.parametrize(
    "event",
    [
        {},
        None,
        [],
        5,
        "text",
        {"Records": [None]},
        {"Records": "x"},
        {"source": "aws.ec2", "detail-type": "x"},
        {"source": "aws.s3", "detail-type": "Object Created", "detail": None},
        {"bucket": "a-bucket"},
        {"bucket": None, "key": "batch/j/x", "size": 1},
        {"bucket": "a-bucket", "key": "", "size": 1},
        {"bucket": "a-bucket", "key": "batch/j/\ud800", "size": 1},
        {"httpMethod": "GET", "path": "/"},
    ],
    ids=ascii,
)
def test_an_event_that_names_no_object_is_refused(
    wrap: Callable[[object], object], event: object
) -> None:
    with pytest.raises(BatchError, match=r"names no object. There must be a bucket and a key"):
        lambda_handler(wrap(event), None)


def test_a_message_that_is_not_json_is_refused() -> None:
    event = {"Records": [{"eventSource": "aws:sqs", "body": "{"}]}
    with pytest.raises(BatchError, match="The event { names no object"):
        lambda_handler(event, None)


def test_a_key_whose_encoding_is_not_utf_8_is_refused_by_name() -> None:
    event = notification("batch/j/x")
    event["Records"][0]["s3"]["object"]["key"] = "batch/j/%FF.png"
    with pytest.raises(BatchError, match="^batch/j/%FF.png: The key is not UTF-8"):
        lambda_handler(event, None)


def test_one_record_that_is_refused_keeps_no_other_from_being_read() -> None:
    event = sqs(notification("nowhere/1"), None, notification("nowhere/2", "ObjectRemoved:Delete"))
    with pytest.raises(BatchError) as refusal:
        lambda_handler(event, None)
    first, second, third = str(refusal.value).splitlines()
    assert first.startswith("nowhere/1: The object lies in no job")
    assert "names no object" in second
    assert third.startswith("nowhere/2: The event is 'ObjectRemoved:Delete'")


def test_a_message_names_a_key_of_two_lines_on_one() -> None:
    with pytest.raises(BatchError, match=r"^a\\nb: The object lies in no job"):
        lambda_handler(bulk("a\nb"), None)


def test_a_job_of_one_name_has_its_answers_in_two_places() -> None:
    batch, bulk_one = (Item("a-bucket", f"{folder}/j/x", 1) for folder in ("batch", "bulk"))
    assert batch.result == "results/j/x.json"
    assert bulk_one.result == "bulk-results/j/x.json"


@pytest.mark.parametrize("folder", ["batch", "bulk"])
def test_a_key_that_leaves_no_room_for_its_answers_is_refused(folder: str) -> None:
    with pytest.raises(BatchError, match="would have 10.. bytes, and S3 takes 1024"):
        lambda_handler(bulk(f"{folder}/j/" + "é" * 507), None)


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(key=names)
def test_any_key_is_read_as_it_is(key: str) -> None:
    assert [item.key for item in items(notification(key))] == [key]
    percent = notification(key)
    percent["Records"][0]["s3"]["object"]["key"] = quote(key, safe="")
    assert [item.key for item in items(percent)] == [key]
    assert items(event_bridge(key))[0].key == items(bulk(key))[0].key == key


@given(jobs=st.tuples(names, names), files=st.tuples(names, names), data=st.data())
def test_two_objects_never_share_an_answer(
    jobs: tuple[str, str], files: tuple[str, str], data: st.DataObject
) -> None:
    folder = st.sampled_from(["batch", "bulk"])
    keys = {f"{data.draw(folder)}/{job}/{file}" for job, file in zip(jobs, files, strict=True)}
    results = set()
    for key in keys:
        try:
            results.add(Item("a-bucket", key, 1).result)
        except BatchError:
            results.add(key)
    assert len(results) == len(keys)


texts = st.text(st.characters(exclude_categories=()), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(event=values, data=st.data())
def test_an_event_of_any_shape_is_read_or_refused(event: object, data: st.DataObject) -> None:
    members = st.sampled_from(["Records", "eventSource", "body", "Sns", "s3", "source", "detail"])
    for _ in range(data.draw(st.integers(0, 3))):
        event = {data.draw(members): event, data.draw(members): data.draw(values)}
    for record in unwrap(event):
        with suppress(BatchError):
            assert all(item.key and item.bucket for item in read_item(record))
