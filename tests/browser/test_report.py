"""The report in a real browser: from a file, without a network, on every screen and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.drawn_run import draw_run

PHONE, DESK = 360, 1200


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run on drawn images, away from its run."""
    page = draw_run(tmp_path_factory.mktemp("drawn")) / "report.html"
    return page.rename(tmp_path_factory.mktemp("elsewhere") / "a report.html")


@pytest.fixture(params=["light", "dark"])
def offline(
    browser: Browser, complaints: list[str], report: Path, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """The report in a tab without a network; whatever it complains of or asks for fails."""
    context = browser.new_context(offline=True, color_scheme=request.param)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("requestfailed", lambda asked: complaints.append(asked.url[:100]))
    page.goto(report.as_uri())
    yield page
    context.close()
    assert complaints == []


def test_every_image_is_drawn_in_its_own_proportions(offline: Page) -> None:
    images = offline.evaluate(
        """[...document.images].map(image => ({
            natural: image.naturalWidth / image.naturalHeight,
            fit: getComputedStyle(image).objectFit,
            shown: image.getBoundingClientRect().width,
        }))"""
    )
    assert len(images) > 50
    assert all(image["natural"] > 0 and image["shown"] > 20 for image in images)
    assert {image["fit"] for image in images} == {"contain"}


def test_every_plot_has_a_size_and_says_what_it_is(offline: Page) -> None:
    plots = offline.locator("svg.plot")
    assert plots.count() >= 14
    for plot in plots.all():
        box = plot.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) > 60
        assert plot.get_attribute("aria-label")


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_page_is_never_wider_than_the_screen(offline: Page, width: int) -> None:
    offline.set_viewport_size({"width": width, "height": 800})
    assert offline.evaluate("document.documentElement.scrollWidth") <= width


def test_texts_stand_out_from_the_page(offline: Page) -> None:
    """By WCAG's contrast, of the page's texts and of the plots'."""
    ratios = offline.evaluate(
        """(() => {
            const light = text => {
                const [r, g, b] = text.match(/[\\d.]+/g).map(value => {
                    const part = value / 255;
                    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const paper = light(getComputedStyle(document.body).backgroundColor);
            const ratio = text => {
                const ink = light(text);
                return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
            };
            const colour = (selector, name) =>
                ratio(getComputedStyle(document.querySelector(selector))[name]);
            return [colour("p", "color"), colour("figcaption", "color"),
                    colour("svg.plot text", "fill"), colour("a", "color")];
        })()"""
    )
    assert min(ratios) > 4.5


def test_it_prints_in_black_on_white(offline: Page) -> None:
    offline.emulate_media(media="print")
    assert offline.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert offline.pdf(format="A4").startswith(b"%PDF")
