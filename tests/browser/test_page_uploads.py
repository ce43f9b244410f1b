"""A picture too large for a request, dropped on the page: a real browser, an S3 that checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from playwright.sync_api import Page, Route, expect

from handler import create_app
from model_loader import MAX_REQUEST_BYTES, SharedModel
from service.uploads import Uploads
from tests.support.images import encode, noise
from tests.support.servers import serving
from tests.support.versions import build_version
from tools.local_aws.install import ROOT, install_tools, lambda_architecture
from tools.local_aws.seaweedfs import BUCKET, SeaweedFS, lead_to, run_seaweedfs


class Template(yaml.SafeLoader):
    """Reads CloudFormation's YAML; the tags' meaning is lost."""


Template.add_multi_constructor("!", lambda loader, suffix, node: suffix)


@pytest.fixture(scope="module")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    if lambda_architecture() is None:
        pytest.skip("SeaweedFS comes for Linux x86_64 and arm64 only")
    install_tools()
    with run_seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as s3:
        yield s3


@pytest.fixture
def uploads(seaweedfs: SeaweedFS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where a service runs whose bucket takes forms of other origins as the deployed one does."""
    lead_to(seaweedfs, monkeypatch)
    boto3.client("s3").put_bucket_cors(
        Bucket=BUCKET, CORSConfiguration={"CORSRules": [deployed_rule()]}
    )
    build_version(tmp_path / "version")
    incoming = Uploads(f"s3://{BUCKET}/incoming")
    with serving(create_app(SharedModel(str(tmp_path / "version")), incoming)) as address:
        yield address + "/"


def deployed_rule() -> Any:
    template = yaml.load((ROOT / "deploy" / "bucket.yml").read_text(), Template)  # noqa: S506
    (rule,) = template["Resources"]["ModelBucket"]["Properties"]["CorsConfiguration"]["CorsRules"]
    return {"MaxAgeSeconds": rule.pop("MaxAge"), **rule}


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "a large gull.jpg"
    path.write_bytes(encode(noise(3000, 2400), "JPEG", quality=90))
    assert path.stat().st_size > MAX_REQUEST_BYTES
    return path


def drop(page: Page, address: str, picture: Path) -> None:
    page.goto(address)
    page.set_input_files("#files", picture)


def slow_down(page: Page) -> None:
    """Let a large picture take a second or two."""
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 4e6}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", limits)


def test_a_large_picture_is_uploaded_in_sight_and_answered(
    page: Page, uploads: str, large: Path
) -> None:
    slow_down(page)
    drop(page, uploads, large)
    expect(page.locator("article h2")).to_have_text("Uploading …")
    expect(page.locator("article progress")).to_be_visible()
    assert 0 <= page.locator("article progress").evaluate("bar => bar.value") < 1
    expect(page.locator("article h2")).to_contain_text("That seems to be", timeout=30_000)
    expect(page.locator("article progress")).to_have_count(0)
    expect(page.locator("article dt")).not_to_have_count(0)


def test_the_page_and_the_service_agree_on_what_a_request_holds(page: Page, uploads: str) -> None:
    page.goto(uploads)
    assert page.evaluate("REQUEST_BYTES") == MAX_REQUEST_BYTES


def test_a_refused_upload_gets_a_sentence_and_not_the_storages_words(
    page: Page, uploads: str, large: Path, complaints: list[str]
) -> None:
    def spoil(route: Route) -> None:
        answer = route.fetch()
        form = answer.json()
        form["fields"]["key"] = "models/flying-objects/current.json"
        route.fulfill(response=answer, json=form)

    page.route("**/uploads", spoil)
    drop(page, uploads, large)
    expect(page.locator("article .bad")).to_have_text("The upload was refused. Try it again.")
    expect(page.locator("article progress")).to_have_count(0)
    assert [text for text in complaints if "403" in text] == complaints
    complaints.clear()


def test_an_upload_that_is_cut_off_says_so(
    page: Page, uploads: str, large: Path, complaints: list[str]
) -> None:
    page.route(f"**/{BUCKET}", lambda route: route.abort())
    drop(page, uploads, large)
    expect(page.locator("article .bad")).to_contain_text("The upload was cut off")
    complaints.clear()


def test_a_service_without_uploads_says_what_to_do(
    page: Page, address: str, large: Path, complaints: list[str]
) -> None:
    drop(page, address, large)
    expect(page.locator("article .bad")).to_contain_text("Scale the image down")
    assert [text for text in complaints if "404" in text] == complaints
    complaints.clear()
