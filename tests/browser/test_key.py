"""The page of a service that asks for a key: the gateway refuses, and the page lets people in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Page, expect
from werkzeug.wrappers import Request, Response

from handler import create_app
from model_loader import SharedModel
from samples.draw import draw_image
from tests.support.servers import Moody, serving
from tests.support.versions import build_version

ROOT = Path(__file__).resolve().parents[2]
OPEN = ("/", "/ping")
KEY = "the key"


def gateways_refusal() -> str:
    """Return what the gateway answers to a request without the key."""
    text = (ROOT / "deploy" / "gateway-responses.yml").read_text(encoding="utf-8")
    response = yaml.safe_load(text)["NoKey"]
    return json.dumps({name: response[name] for name in ("title", "status", "detail")})


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[str]:
    """Where a service runs behind something that asks for a key as the gateway does."""
    build_version(tmp_path / "model")
    refused = gateways_refusal()

    def gateway(request: Request, before: int) -> Response | None:
        if request.path in OPEN or request.headers.get("x-api-key") == KEY:
            return None
        return Response(refused, 401, mimetype="application/json")

    with serving(Moody(create_app(SharedModel(str(tmp_path / "model"))), gateway)) as address:
        yield f"{address}/"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a gull.jpg"
    draw_image("Flying Birds").save(path)
    return path


def test_it_asks_for_the_key_and_then_answers(
    page: Page, closed: str, picture: Path, complaints: list[str]
) -> None:
    page.goto(closed)
    expect(page.get_by_role("status")).to_have_text("This service asks for a key.")
    page.get_by_label("Key").fill("a wrong one")
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("status")).to_have_text("The service does not know this key.")
    page.set_input_files("#files", picture)
    expect(page.locator("article .bad")).to_have_text("The service does not know this key.")

    page.get_by_label("Key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("footer")).to_contain_text("Model flying-objects")
    expect(page.locator("#lock")).to_be_hidden()
    page.set_input_files("#files", picture)
    expect(page.locator("article h2").first).to_contain_text("That seems to be")
    page.reload()
    expect(page.locator("footer")).to_contain_text("Model flying-objects")
    assert [text for text in complaints if "401" in text] == complaints
    complaints.clear()


def test_a_service_without_a_key_asks_for_none(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("footer")).to_contain_text("Model flying-objects")
    expect(page.locator("#lock")).to_be_hidden()
