"""POST /uploads and keys in POST /classify: what may be asked, and what is answered."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from werkzeug.test import Client, TestResponse

from handler import create_app
from model_loader import MAX_REQUEST_BYTES, MAX_UPLOAD_BYTES, SharedModel
from service.json_bodies import IMAGE_TYPES, RAW_TYPE
from service.uploads import Uploads
from tests.support.problems import problem
from tests.unit.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "incoming/" + "k" * 32


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers other settings


def serving_uploads(published: str, uri: str = f"s3://{BUCKET}/incoming") -> Client:
    return Client(create_app(SharedModel(published), Uploads(uri)))


@pytest.fixture
def uploads(s3: S3Client, published: str) -> Client:
    """A client of a service that takes uploads."""
    return serving_uploads(published)


def policy(form: dict[str, Any]) -> dict[str, Any]:
    """Return what S3 will hold the form to."""
    document: dict[str, Any] = json.loads(base64.b64decode(form["fields"]["policy"]))
    return document


# The form


def test_a_form_says_where_to_send_what_until_when(uploads: Client) -> None:
    response = uploads.post("/uploads", json={"content_type": "image/jpeg", "bytes": 8_123_456})
    assert response.status_code == 201
    form = response.get_json()
    assert set(form) == {"url", "fields", "key", "expires", "max_bytes"}
    assert BUCKET in form["url"]
    assert form["expires"] == 300
    assert form["max_bytes"] == MAX_UPLOAD_BYTES
    assert form["fields"]["key"] == form["key"]
    assert form["fields"]["Content-Type"] == "image/jpeg"


def test_s3_will_refuse_another_key_type_size_and_time(uploads: Client) -> None:
    form = uploads.post("/uploads", json={"content_type": "image/png"}).get_json()
    signed = policy(form)
    conditions = signed["conditions"]
    assert {"key": form["key"]} in conditions
    assert {"bucket": BUCKET} in conditions
    assert {"Content-Type": "image/png"} in conditions
    assert ["content-length-range", 1, MAX_UPLOAD_BYTES] in conditions
    assert [condition for condition in conditions if "starts-with" in condition] == []
    left = datetime.fromisoformat(signed["expiration"]) - datetime.now(UTC)
    assert 290 < left.total_seconds() <= 300


def test_keys_cannot_be_guessed(uploads: Client) -> None:
    keys = {uploads.post("/uploads").get_json()["key"] for _ in range(20)}
    assert len(keys) == 20
    assert all(re.fullmatch(r"incoming/[\w-]{32}", key) for key in keys)  # of 192 bits


def test_nothing_needs_to_be_said_about_the_file(uploads: Client) -> None:
    for body in (b"", b"{}"):
        form = uploads.post("/uploads", data=body).get_json()
        assert form["fields"]["Content-Type"] == RAW_TYPE


@pytest.mark.parametrize("media_type", [*IMAGE_TYPES, RAW_TYPE])
def test_every_type_that_is_classified_can_be_uploaded(uploads: Client, media_type: str) -> None:
    response = uploads.post("/uploads", json={"content_type": media_type})
    assert response.status_code == 201


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "a-bucket.s3.amazonaws.com"),
        ("eu-central-1", "a-bucket.s3.eu-central-1.amazonaws.com"),
        ("cn-north-1", "a-bucket.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_a_form_names_the_buckets_own_region_which_redirects_nobody(
    uploads: Client, monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    form = uploads.post("/uploads").get_json()
    assert form["url"] == f"https://{host}/"
    assert form["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"


def test_an_s3_of_ones_own_needs_no_name_for_each_bucket(
    uploads: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9000")
    assert uploads.post("/uploads").get_json()["url"] == f"http://localhost:9000/{BUCKET}"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "The body is not JSON"),
        (b"\xff", 400, "The body is not JSON"),
        (b"[" * 100_000, 400, "The body is not JSON"),
        (b"[]", 400, "The JSON is not an object"),
        (b"null", 400, "The JSON is not an object"),
        (b'{"content_type": 1}', 400, "content_type is not a string"),
        (b'{"content_type": null}', 400, "content_type is not a string"),
        (b'{"bytes": "8"}', 400, "bytes is not a whole number above 0"),
        (b'{"bytes": true}', 400, "bytes is not a whole number above 0"),
        (b'{"bytes": 1.5}', 400, "bytes is not a whole number above 0"),
        (b'{"bytes": NaN}', 400, "bytes is not a whole number above 0"),
        (b'{"bytes": 0}', 400, "bytes is not a whole number above 0"),
        (b'{"bucket": "b"}', 400, "'bucket', which is not taken here; content_type and bytes"),
        (b'{"\\ud800": 1}', 400, "which is not taken here"),
        (b'{"content_type": "text/html"}', 415, "'text/html' is not taken"),
        (b'{"content_type": "image/svg+xml"}', 415, "Send one of image/jpeg"),
        (b'{"content_type": "image/jpeg\\r\\nx: y"}', 415, "is not taken"),
        (b'{"content_type": "\\ud800"}', 415, "is not taken"),
        (b'{"bytes": 50000001}', 413, "larger than 50 MB"),
        (b" " * (MAX_REQUEST_BYTES + 1), 413, "larger than 4.5 MB"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    uploads: Client, body: bytes, status: int, said: str
) -> None:
    response = uploads.post("/uploads", data=body, content_type="application/json")
    assert said in problem(response, status)


def test_the_largest_file_may_be_announced(uploads: Client) -> None:
    for size in (MAX_UPLOAD_BYTES, float(MAX_UPLOAD_BYTES)):  # to JSON the same number
        assert uploads.post("/uploads", json={"bytes": size}).status_code == 201


# The key


def classify(client: Client, key: object) -> TestResponse:
    body = json.dumps({"key": key})
    return client.post("/classify", data=body, content_type="application/json")


def test_an_upload_is_answered_like_a_file(uploads: Client, s3: S3Client, photo: bytes) -> None:
    key = uploads.post("/uploads").get_json()["key"]
    s3.put_object(Bucket=BUCKET, Key=key, Body=photo)
    answer = classify(uploads, key).get_json()
    sent = uploads.post("/classify", data=photo, content_type="image/jpeg").get_json()
    assert (answer["file"], answer["filename"]) == ("key", None)
    assert {**answer, "file": "body"} == sent


def test_an_upload_that_is_no_image_is_an_error_like_any_other(
    uploads: Client, s3: S3Client
) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"hello")
    assert "Send a JPEG, PNG" in problem(classify(uploads, KEY), 415)


def test_a_form_that_was_not_sent_is_404_and_says_so(uploads: Client) -> None:
    key = uploads.post("/uploads").get_json()["key"]
    detail = problem(classify(uploads, key), 404)
    assert "its file was not sent" in detail
    assert "Ask POST /uploads for another form" in detail


@pytest.mark.parametrize(
    "key",
    [
        "",
        "k" * 32,
        KEY + "k",
        KEY[:-1],
        KEY + "\n",
        "incoming/../models/flying-objects/current.json",
        f"models/{'k' * 32}",
        f"incoming/../{'k' * 29}",
        f"other/../{KEY}",
        f"/{KEY}",
        f"s3://other-bucket/{KEY}",
        f"incoming/{'é' * 32}",
        f"incoming/{'%2e' * 10}kk",
        "\ud800",
    ],
)
def test_no_other_object_can_be_named(uploads: Client, s3: S3Client, key: str) -> None:
    if key and key.isprintable():
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"a secret")
    assert "is no key of an upload" in problem(classify(uploads, key), 404)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body is not JSON"),
        (b"key=incoming/1", "The body is not JSON"),
        (b'"incoming/1"', "The JSON is not an object"),
        (b"{}", "no string as key"),
        (b'{"key": 1}', "no string as key"),
        (b'{"key": ["incoming/1"]}', "no string as key"),
        (b'{"key": "a", "bucket": "b"}', "'bucket', which is not taken here; key is all"),
    ],
)
def test_json_that_names_no_key_is_refused_with_a_sentence(
    uploads: Client, body: bytes, said: str
) -> None:
    response = uploads.post("/classify", data=body, content_type="application/json")
    assert said in problem(response, 400)


def test_an_object_that_did_not_come_by_a_form_may_be_no_larger(
    uploads: Client, s3: S3Client
) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=bytes(MAX_UPLOAD_BYTES + 1))
    assert "larger than 50 MB" in problem(classify(uploads, KEY), 413)


# A service that takes none, or cannot


def test_a_service_without_a_folder_for_uploads_says_so(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for response in (client.post("/uploads"), classify(client, KEY)):
        detail = problem(response, 404)
        assert "takes no files of more than 4.5 MB" in detail
    assert caplog.text.count("INCOMING_URI is not set") == 2


def test_only_a_service_that_takes_uploads_tells_a_large_image_to_go_there(
    client: Client, uploads: Client
) -> None:
    too_large = {"data": bytes(MAX_REQUEST_BYTES + 1), "content_type": "image/jpeg"}
    assert "POST /uploads says where" in problem(uploads.post("/classify", **too_large), 413)
    detail = problem(client.post("/classify", **too_large), 413)
    assert "/uploads" not in detail
    assert "Scale the image down" in detail


@pytest.mark.parametrize("uri", ["incoming", "s3://a-bucket", "s3:///incoming", "/tmp/incoming"])
def test_a_setting_that_is_no_address_is_503(
    published: str, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = serving_uploads(published, uri)
    for response in (client.post("/uploads"), classify(client, KEY)):
        problem(response, 503)
    assert caplog.text.count(f"INCOMING_URI is '{uri}'") == 2


def test_a_bucket_that_is_not_there_is_503(
    s3: S3Client, published: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = classify(serving_uploads(published, "s3://another-bucket/incoming"), KEY)
    problem(response, 503)
    assert "Check the network, INCOMING_URI" in caplog.text


def test_an_s3_out_of_reach_is_503_and_says_when_to_come_back(
    uploads: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unreachable(*_: object) -> None:
        raise EndpointConnectionError(endpoint_url=f"https://s3/{KEY}")

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", unreachable)
    monkeypatch.setattr("botocore.client.BaseClient._make_request", unreachable)
    response = classify(uploads, KEY)
    problem(response, 503)
    assert int(response.headers["Retry-After"]) > 0
    assert KEY not in caplog.text
    assert '"https://s3/incoming/…"' in caplog.text


def test_without_credentials_no_form_is_made(
    published: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    problem(serving_uploads(published).post("/uploads"), 503)
    assert "Unable to locate credentials" in caplog.text


def test_the_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INCOMING_URI", raising=False)
    assert "Scale" in Uploads.from_environment().advice
    monkeypatch.setenv("INCOMING_URI", "s3://a-bucket/incoming")
    assert "POST /uploads" in Uploads.from_environment().advice
