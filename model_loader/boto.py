"""boto3's client for S3: for what is written, signed, or read by a caller's own key.

The model itself comes through ``model_loader.s3``, which needs no boto3; this imports it with the
first client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_loader.errors import StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONNECT_SECONDS = 2
_READ_SECONDS = 8
_ATTEMPTS = 2
"""Together under the 29 s after which API Gateway gives up."""


def make_client(**settings: Any) -> S3Client:
    """Return a client that gives up before the gateway does.

    Args:
        settings: More of botocore's ``Config``.

    Raises:
        StorageError: The environment's AWS settings make no sense.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        **settings,
    )
    try:
        return boto3.client("s3", config=config)
    except Exception as error:  # botocore's exceptions share no base with those from below it
        raise StorageError(
            f"The AWS settings of the environment do not fit: {str(error).rstrip('.')}. Correct "
            "AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL or the credentials."
        ) from error
