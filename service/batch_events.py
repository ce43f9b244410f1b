"""The objects of an event of S3 or EventBridge, also within SNS and SQS messages."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard
from urllib.parse import unquote_plus

from service.errors import BatchError

log = logging.getLogger(__name__)

# The folder of the answers to each folder of images; both may have a job of the same name.
_RESULTS = {"batch": "results", "bulk": "bulk-results"}

_MAX_KEY_BYTES = 1024

# Levels of nesting; a notification in SNS in SQS has six.
_MAX_DEPTH = 8


@dataclass(frozen=True)
class Item:
    """An object to classify.

    Attributes:
        bucket: Name of the bucket.
        key: Key of the object.
        size: Size in bytes; None where the event has none.
    """

    bucket: str
    key: str
    size: int | None

    def __str__(self) -> str:
        """Return the key on one line, for messages."""
        return self.key if self.key.isprintable() else repr(self.key)[1:-1]

    @property
    def is_folder(self) -> bool:
        """Whether it stands for an empty folder, as consoles make them."""
        return self.key.endswith("/") and self.size == 0

    @property
    def result(self) -> str:
        """The key of the answer.

        Raises:
            BatchError: The object lies in no job, or the answer's key would be too long.
        """
        folder, _, rest = self.key.partition("/")
        job, _, name = rest.partition("/")
        if folder not in _RESULTS or not job or not name:
            places = " or ".join(f"{folder}/<job>/" for folder in _RESULTS)
            raise BatchError(f"{self}: The object lies in no job. Put it under {places}.")
        result = f"{_RESULTS[folder]}/{job}/{name}.json"
        if (size := len(result.encode())) > _MAX_KEY_BYTES:
            raise BatchError(
                f"{self}: The key of its answer would have {size} bytes, and S3 takes "
                f"{_MAX_KEY_BYTES}. Give the object a shorter name."
            )
        return result


def unwrap(event: object, depth: int = 0) -> Iterator[object]:
    """Yield the records of an event, without the envelopes of SNS, SQS and S3."""
    members = _mapping(event)
    records = members.get("Records")
    message = _message(members)
    if depth == _MAX_DEPTH:
        yield event
    elif isinstance(records, list):
        for record in records:
            yield from unwrap(record, depth + 1)
    elif isinstance(message, str):
        try:
            inner = json.loads(message)
        except (ValueError, RecursionError):
            inner = message
        yield from unwrap(inner, depth + 1)
    else:
        yield event


def read_item(record: object) -> list[Item]:
    """Return the objects that a record is about; none for a test event of S3.

    Raises:
        BatchError: The record is about something else.
    """
    members = _mapping(record)
    if members.get("Event") == "s3:TestEvent":
        log.info("S3 has tested whether its events arrive")
        return []
    if isinstance(s3 := members.get("s3"), Mapping):
        name = members.get("eventName")
        kind = str(name or "ObjectCreated").removeprefix("s3:")
        keys = _decoded
    elif members.get("source") == "aws.s3":
        s3, name = _mapping(members.get("detail")), members.get("detail-type")
        kind = str(name).replace(" ", "")
        keys = _as_it_is_or_decoded
    else:
        s3, name, kind = {"bucket": {"name": members.get("bucket")}, "object": members}, None, ""
        keys = _as_it_is
    bucket, found = _mapping(s3.get("bucket")).get("name"), _mapping(s3.get("object"))
    key, size = found.get("key"), found.get("size")
    if kind and not kind.startswith("ObjectCreated"):
        raise BatchError(f"{_shown(key)}: The event is {name!r}; only new objects are classified.")
    if not (_is_name(bucket) and _is_name(key)):
        raise BatchError(
            f"The event {_shown(record)} names no object. There must be a bucket and a key, as in "
            "S3's ObjectCreated events."
        )
    return [Item(bucket, one, size if isinstance(size, int) else None) for one in keys(key)]


def _as_it_is(key: str) -> list[str]:
    return [key]


def _decoded(key: str) -> list[str]:
    """Return a key that S3's notifications have URL-encoded.

    Raises:
        BatchError: The encoded bytes are not UTF-8.
    """
    try:
        return [unquote_plus(key, errors="strict")]
    except UnicodeDecodeError as error:
        raise BatchError(f"{_shown(key)}: The key is not UTF-8 in a URL's encoding.") from error


def _as_it_is_or_decoded(key: str) -> list[str]:
    """Return both keys that EventBridge may mean: AWS does not say whether it encodes them.

    The key that does not exist is skipped like an object that was deleted meanwhile.
    """
    return list(dict.fromkeys([key, unquote_plus(key)]))


def _message(members: Mapping[str, Any]) -> object:
    """Return the message of an SQS record, an SNS record, or an SNS notification in SQS."""
    if members.get("eventSource") == "aws:sqs":
        return members.get("body")
    if members.get("Type") == "Notification":
        return members.get("Message")
    return _mapping(members.get("Sns")).get("Message")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_name(value: object) -> TypeGuard[str]:
    """Return whether this can be a bucket's name or a key: text without lone surrogates."""
    return isinstance(value, str) and value != "" and not re.search("[\ud800-\udfff]", value)


def _shown(value: object) -> str:
    """Return a received value for a message: on one line, at most 200 characters."""
    text = value if isinstance(value, str) and value.isprintable() else ascii(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
