"""The page that people drop pictures on, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

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


def test_a_file_that_is_no_picture_gets_a_sentence(
    page: Page, address: str, complaints: list[str], tmp_path: Path
) -> None:
    (tmp_path / "notes.jpg").write_text("hello")
    page.goto(address)
    page.set_input_files("#files", tmp_path / "notes.jpg")
    expect(page.locator("article .bad")).to_contain_text("Send a JPEG, PNG")
    assert [text for text in complaints if "415" in text] == complaints
    complaints.clear()


def test_a_picture_that_is_dropped_beside_the_box_is_answered_too(
    page: Page, address: str, picture: Path
) -> None:
    page.goto(address)
    kept = page.evaluate(
        """(bytes) => {
          const files = new DataTransfer();
          files.items.add(new File([new Uint8Array(bytes)], "gull.jpg", {type: "image/jpeg"}));
          const how = {dataTransfer: files, bubbles: true, cancelable: true};
          return document.body.dispatchEvent(new DragEvent("drop", how));
        }""",
        list(picture.read_bytes()),
    )
    assert not kept  # or the browser would leave the page and show the picture
    expect(page.locator("body")).to_contain_text("That seems to be")
