"""The S3 client for publishing: limited waiting times, and its errors as sentences."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model_loader.s3_answers import MEANINGS, NOT_S3, REDIRECTS, SETTINGS, SILENCE
from training.errors import TrainingError
from training.output.progress import say

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
ATTEMPTS = 2

SAY_AFTER_SECONDS = 3.0
"""Time without an answer after which a line says what is waited for."""


class NotS3Error(Exception):
    """An answer of status 200 that lacks what every answer of S3 has."""


def make_client() -> S3Client:
    """Return a client that gives up a silent S3 after ATTEMPTS times READ_SECONDS.

    Raises:
        TrainingError: The AWS settings of the environment do not fit.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )
    try:
        return boto3.client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise TrainingError(SETTINGS.format(str(error).rstrip("."))) from error


@contextmanager
def waiting(where: str) -> Iterator[None]:
    """Say what is waited for, and for how long, where the block takes longer than a few seconds."""
    line = (
        f"Waiting for {where}; given up where nothing comes for {READ_SECONDS:g} s, "
        f"{ATTEMPTS} times."
    )
    timer = threading.Timer(SAY_AFTER_SECONDS, say, (line,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def reaching(where: str) -> Iterator[None]:
    """Say when a call of the client takes long, and turn whatever it raises into a sentence.

    Args:
        where: The object or prefix that is asked for.

    Raises:
        TrainingError: The call failed.
    """
    try:
        with waiting(where):
            yield
    except Exception as error:
        # botocore's exceptions, those of the libraries below it, and the system's share no class.
        raise TrainingError(f"{where} cannot be reached: {_why(error)}.") from error


def _why(error: Exception) -> str:
    """Return what went wrong, and what to do, in one or two sentences without the last stop."""
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    if isinstance(error, aws.ClientError):
        return _why_refused(error)
    if isinstance(error, NotS3Error | ResponseParserError):
        return NOT_S3
    if "recursion" in str(error):  # the SDK follows redirects by calling itself
        return REDIRECTS
    if isinstance(error, aws.ReadTimeoutError | aws.ConnectTimeoutError):
        return SILENCE
    text = str(error).rstrip(".")
    credentials = (
        aws.NoCredentialsError | aws.PartialCredentialsError | aws.CredentialRetrievalError
    )
    if isinstance(error, credentials | aws.SSOError | aws.TokenRetrievalError):
        return (
            f"{text}. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in "
            "(aws sso login)"
        )
    if isinstance(error, aws.SSLError):
        return f"{text}. Name the certificate to trust in AWS_CA_BUNDLE"
    return f"{text}. Check the bucket's name, the network and AWS_ENDPOINT_URL"


def _why_refused(error: Exception) -> str:
    response = getattr(error, "response", {})
    found = response.get("Error", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = found.get("Code") or (str(status) if status >= 500 else "")
    return MEANINGS.get(code) or (
        f"{str(found.get('Message') or error).rstrip('.')} ({code}). Check the bucket's name and "
        "the credentials"
    )
