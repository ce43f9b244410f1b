"""Publishing a version to a store: its files first, ``current.json`` last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

from model_loader import Metadata, ModelUnavailableError, load_model
from model_loader.engine import ENGINES
from model_loader.store import check, file_info
from training.errors import TrainingError
from training.progress import progress


class Destination(Protocol):
    """Where a store's files are written."""

    def read(self, key: str) -> bytes | None:
        """Return a file's bytes, or None where there is none."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        ...


def publish(version: Path, store: str) -> str:
    """Copy a version into a store and make it the current one.

    Args:
        version: The version's folder, as ``export`` wrote it.
        store: ``s3://bucket/prefix`` or a local directory; the model goes into
            ``<store>/<name>``.

    Returns:
        The model's address, for ``MODEL_URI``.

    Raises:
        TrainingError: The folder is not a whole version, the store cannot be written, or it
            holds another version of this name.
    """
    metadata = read_version(version)
    destination = _open(store)
    base = f"{metadata.name}/versions/{metadata.version}"
    text = (version / "model.json").read_bytes()
    published = destination.read(f"{base}/model.json")
    if published not in (None, text):
        raise TrainingError(
            f"{store}/{base} exists already and differs. Versions do not change: export again."
        )
    if published is None:
        with progress("Publishing", len(metadata.files) + 1) as advance:
            for file in metadata.files:
                destination.put(f"{base}/{file}", (version / file).read_bytes())
                advance(file)
            destination.put(f"{base}/model.json", text)
            advance("model.json")
    current = json.dumps({"version": metadata.version}).encode()
    destination.put(f"{metadata.name}/current.json", current)
    return f"{store.rstrip('/')}/{metadata.name}"


def read_version(folder: Path) -> Metadata:
    """Read a version's folder and check that its files are whole, and that it can be served.

    Raises:
        TrainingError: The folder is not that of a version, or a file is missing or changed.
    """
    path = folder / "model.json"
    try:
        metadata = Metadata.from_json(path.read_bytes())
        for file, info in metadata.files.items():
            check(file_info(folder / file), info, str(folder / file))
        for engine, (file, _) in ENGINES.items():
            if file in metadata.files:
                load_model(str(folder), engine)
    except OSError as error:
        raise TrainingError(
            f"{folder} is not the folder of a model version: {error.filename} cannot be read "
            f"({error.strerror})."
        ) from error
    except ModelUnavailableError as error:
        raise TrainingError(f"{folder} cannot be published. {error}") from error
    return metadata


class LocalDestination:
    """A local directory."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder; it is made when the first file is written."""
        self._folder = folder

    def read(self, key: str) -> bytes | None:
        """Return a file's bytes, or None where there is none."""
        path = self._folder / key
        return path.read_bytes() if path.is_file() else None

    def put(self, key: str, data: bytes) -> None:
        """Write a file under a temporary name, then rename it."""
        path = self._folder / key
        temporary = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError as error:
            raise TrainingError(f"{path} cannot be written: {error.strerror}.") from error


class S3Destination:
    """A prefix of an S3 bucket; the AWS SDK's environment variables say how to reach it."""

    def __init__(self, bucket: str, prefix: str) -> None:
        """Make the client; nothing is written yet."""
        import boto3
        from botocore.exceptions import BotoCoreError

        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        try:
            self._client = boto3.client("s3")
        except (BotoCoreError, ValueError) as error:
            raise TrainingError(
                f"The AWS settings of the environment do not fit: {error}. Correct AWS_PROFILE, "
                "AWS_REGION, AWS_ENDPOINT_URL or the credentials."
            ) from error

    def read(self, key: str) -> bytes | None:
        """Return an object's bytes, or None where there is none."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            response = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            return response["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise self._failed(key, error) from error
        except BotoCoreError as error:
            raise self._failed(key, error) from error

    def put(self, key: str, data: bytes) -> None:
        """Write an object; S3 shows it only when it is whole."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=data)
        except (BotoCoreError, ClientError) as error:
            raise self._failed(key, error) from error

    def _failed(self, key: str, error: Exception) -> TrainingError:
        return TrainingError(
            f"s3://{self._bucket}/{self._prefix}{key} cannot be reached: {error}. Check the "
            "bucket's name, the credentials and AWS_ENDPOINT_URL."
        )


def _open(store: str) -> Destination:
    if store.startswith("s3://"):
        bucket, _, prefix = store.removeprefix("s3://").partition("/")
        if not bucket:
            raise TrainingError(f"The store {store!r} names no bucket; write s3://bucket/prefix.")
        return S3Destination(bucket, prefix.strip("/"))
    if not store or "://" in store:
        raise TrainingError(f"The store {store!r} must be s3://bucket/prefix or a directory.")
    return LocalDestination(Path(store))
