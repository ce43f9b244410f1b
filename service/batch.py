"""The Lambda entry point for batches: images in S3, under ``batch/<job>/`` and ``bulk/<job>/``.

``batch/<job>/<name>`` is answered in ``results/<job>/<name>.json``, ``bulk/<job>/<name>`` in
``bulk-results/<job>/<name>.json``. Events come more than once and out of order, so an event only
says where to look. The object that is there now is classified, and a conditional write replaces the
answer that was read *before* the image, or adds one where there was none. Where the write loses a
race, another process has answered meanwhile, and the object is read again. So the last answer is
that to the last image, and the same image (by its ETag) is answered once by each version of the
model.

Errors leave the function as a ``BatchError`` whose message names the object and the reason. Lambda
tries twice more and then puts the event and the message into the queue of failures; so does the
state machine (deploy/batches).

Environment:
    MODEL_PREFIX: The model's key prefix, in the bucket that the images are in.
    MODEL_ENGINE, MODEL_REFRESH_SECONDS, MODEL_SHA256: As for ``handler``.
"""

from __future__ import annotations

import json
import logging
import os
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from model_loader import ClassifierError, Model, SharedModel
from service.answers import KEY_FIELD, ImageFile, answer
from service.batch_events import Item, read_item, unwrap
from service.bucket import Bucket, StoredObject
from service.errors import BatchError, GoneError
from service.log.log_lines import configure_logging
from service.log.request_log import current, current_request_id, logged_request

log = logging.getLogger(__name__)

# Attempts to write one answer while other processes answer the same object.
_ATTEMPTS = 5


def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """Answer an event about objects that were created, or one item of the bulk.

    Args:
        event: An event of S3 or EventBridge, which SNS or SQS may have wrapped, or an item
            ``{"bucket": …, "key": …, "size": …}``.
        context: Lambda's context.

    Returns:
        ``{"results": […]}``: the keys of the answers; objects that need none have no key.

    Raises:
        BatchError: An object could not be answered, or the event is about something else. The other
            objects of the event were answered.
    """
    results: list[str | None] = []
    reasons: list[str] = []
    for record in unwrap(event):
        try:
            for item in read_item(record):
                with logged_request("batch", getattr(context, "aws_request_id", None)) as entry:
                    results.append(classify_item(item))
                    entry.status = 200
        except BatchError as error:
            reasons.append(str(error))
    if reasons:
        raise BatchError("\n".join(reasons))
    return {"results": [result for result in results if result is not None]}


def classify_item(item: Item) -> str | None:
    """Classify an object, unless its answer is there, and return the answer's key.

    Returns:
        None where there is nothing to answer: a folder, or an object that was deleted meanwhile.

    Raises:
        BatchError: The object could not be answered.
    """
    if item.is_folder:
        return None
    result = item.result
    try:
        bucket, published = _open(item.bucket)
        model = published.get()
        for _ in range(_ATTEMPTS):
            if _answer_once(bucket, model, item.key, result):
                return result
    except GoneError:
        log.info("An object was deleted before it was classified")
        return None
    except Exception as error:
        raise _failure(item, error) from error
    raise BatchError(f"{item}: {result} was changed by others {_ATTEMPTS} times meanwhile.")


def _failure(item: Item, error: Exception) -> BatchError:
    """Return an error that names the object, and note it in the log entry."""
    if not isinstance(error, ClassifierError):
        log.error("Unexpected error", exc_info=error)
        return BatchError(f"{item}: {type(error).__name__}: {error}")
    entry = current()
    entry.status, entry.error = error.status, error.title
    return BatchError(f"{item}: {error}")


def _answer_once(bucket: Bucket, model: Model, key: str, result: str) -> bool:
    """Return whether the answer is there; False where the write lost a race."""
    earlier = bucket.find(result)
    image = bucket.read(key, unless=_answered(earlier, model, key))
    if image is None:
        return True
    file = ImageFile(KEY_FIELD, PurePosixPath(key).name, image.data)
    document = {
        **answer(model, file),
        "object": {"key": key, "etag": image.etag, "version": image.version},
    }
    text = json.dumps(document, ensure_ascii=False).encode()
    return bucket.write(result, text, replaces=None if earlier is None else earlier.etag)


def _answered(earlier: StoredObject | None, model: Model, key: str) -> str | None:
    """Return the ETag of the image that this model answered earlier; None where it did not."""
    if earlier is None:
        return None
    try:
        document = json.loads(earlier.data)
        by, to = document["model"], document["object"]
        is_ours = by["version"] == model.metadata.version and by["name"] == model.metadata.name
        return str(to["etag"]) if is_ours and to["key"] == key else None
    except (ValueError, KeyError, TypeError):
        return None


@cache
def _open(bucket: str) -> tuple[Bucket, SharedModel]:
    """Return a bucket and the model that is published in it."""
    uri = f"s3://{bucket}/{os.environ.get('MODEL_PREFIX', '')}"
    return Bucket(bucket), SharedModel.from_environment({**os.environ, "MODEL_URI": uri})


configure_logging(current_request_id)
