"""The page that people drop pictures on, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from samples.draw import draw_image
from tests.support.versions import LABELS


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a gull.jpg"
    draw_image("Flying Birds").save(path)
    return path


def test_it_says_which_model_answers(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("footer")).to_contain_text("Model flying-objects")
    expect(page.locator("footer")).to_contain_text(LABELS[-1])


def test_a_chosen_picture_is_shown_with_its_label_and_scores(
    page: Page, address: str, picture: Path
) -> None:
    page.goto(address)
    page.set_input_files("#files", picture)
    answer = page.locator("article")
    expect(answer.locator("h2")).to_contain_text("That seems to be")
    expect(answer.locator("dt")).to_have_count(len(LABELS))
    percents = [float(text.removesuffix(" %")) for text in answer.locator("dd").all_inner_texts()]
    assert percents == sorted(percents, reverse=True)
    assert sum(percents) == pytest.approx(100, abs=0.3)
    assert answer.locator("img").evaluate("image => image.complete && image.naturalWidth > 0")


def test_several_pictures_are_answered_each(page: Page, address: str, picture: Path) -> None:
    page.goto(address)
    page.set_input_files("#files", [picture, picture, picture])
    expect(page.locator("article h2", has_text="That seems to be")).to_have_count(3)


def put(page: Page, kind: str, picture: Path | None) -> bool:
    """Drop or paste an image, or nothing, onto the page; return whether the browser goes on."""
    goes_on: bool = page.evaluate(
        """([kind, bytes]) => {
          const data = new DataTransfer();
          const file = bytes && new File([new Uint8Array(bytes)], "gull.jpg", {type: "image/jpeg"});
          if (file) data.items.add(file);
          const how = {dataTransfer: data, clipboardData: data, bubbles: true, cancelable: true};
          const Event = kind === "drop" ? DragEvent : ClipboardEvent;
          return document.body.dispatchEvent(new Event(kind, how));
        }""",
        [kind, list(picture.read_bytes()) if picture else None],
    )
    return goes_on


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_that_is_dropped_beside_the_box_or_pasted_is_answered_too(
    page: Page, address: str, picture: Path, kind: str
) -> None:
    page.goto(address)
    goes_on = put(page, kind, picture)
    assert kind == "paste" or not goes_on  # or the browser would leave the page and show it
    expect(page.locator("article h2")).to_contain_text("That seems to be")
    expect(page.locator("article small")).to_have_text("gull.jpg")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_what_holds_no_file_gets_a_sentence(page: Page, address: str, kind: str) -> None:
    page.goto(address)
    put(page, kind, None)
    expect(page.locator("#hint")).to_have_text("There was no file in it. Choose an image.")


def test_each_file_that_waits_is_shown_with_its_name_and_what_becomes_of_it(
    page: Page, address: str, picture: Path
) -> None:
    held: list[Route] = []
    page.route("**/classify", lambda route: held.append(route))  # noqa: PLW0108
    page.goto(address)
    page.set_input_files("#files", [picture, picture, picture])
    titles = page.locator("article h2")
    expect(titles).to_have_text(["Waiting …", "Waiting …", "Looking at it …"])
    expect(page.locator("article small")).to_have_text(["a gull.jpg"] * 3)
    held.pop().continue_()
    expect(titles).to_have_text(["Waiting …", "Looking at it …", re.compile("That seems to be")])
    page.unroute_all(behavior="ignoreErrors")


def test_a_service_out_of_reach_is_called_so(
    page: Page, address: str, picture: Path, complaints: list[str]
) -> None:
    page.goto(address)
    expect(page.locator("footer")).to_contain_text("Model flying-objects")
    page.route("**/classify", lambda route: route.abort())
    page.set_input_files("#files", picture)
    expect(page.locator("article .bad")).to_have_text(
        "The service cannot be reached. Check the connection, and try again."
    )
    complaints.clear()


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (502, "<html>", "The service does not answer as it should (error 502). Try again later."),
        (504, '{"message": "Endpoint request timed out"}', "(error 504). Try again later."),
        (503, '{"detail": "No model."}', "No model."),
        (401, '{"detail": "Sign the request."}', "This service takes signed requests only"),
    ],
)
def test_whatever_stands_between_is_put_into_a_visitors_words(
    status: int,
    body: str,
    sentence: str,
    page: Page,
    address: str,
    picture: Path,
    complaints: list[str],
) -> None:
    page.route("**/classify", lambda route: route.fulfill(status=status, body=body))
    page.route("**/model", lambda route: route.fulfill(status=status, body=body))
    page.goto(address)
    page.set_input_files("#files", picture)
    expect(page.locator("article .bad")).to_contain_text(sentence)
    expect(page.locator("footer")).to_contain_text(sentence)
    complaints.clear()


def test_a_file_that_is_no_picture_gets_a_sentence(
    page: Page, address: str, complaints: list[str], tmp_path: Path
) -> None:
    (tmp_path / "notes.jpg").write_text("hello")
    page.goto(address)
    page.set_input_files("#files", tmp_path / "notes.jpg")
    expect(page.locator("article .bad")).to_contain_text("Send a JPEG, PNG")
    assert [text for text in complaints if "415" in text] == complaints
    complaints.clear()
