"""What the documentation promises exists: links, anchors, files, commands, options, targets."""

from __future__ import annotations

import re
import subprocess

import pytest
import typer

from tests.support.markdown import ROOT, anchors, blocks, links, spans, training_arguments
from training.cli import app

README = ROOT / "README.md"
_FILE = re.compile(r"[\w.-]+(/[\w.-]+)*(\.\w+|/)")


def pages() -> list[str]:
    """Return the Markdown pages of the repository, by their paths."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def commands(page: str) -> list[list[str]]:
    """Return the arguments of each ``python -m training`` in a page's blocks and prose."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [line for block in blocks(text) for line in block.lines()] + spans(text)
    return [words for line in lines if (words := training_arguments(line)) is not None]


def test_the_readme_is_read_in_two_minutes() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert len(text.split()) <= 1000


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    for link in links((ROOT / page).read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert target.exists(), f"{page} links to {link}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{page}: {link}"


@pytest.mark.parametrize("page", pages())
def test_every_training_command_has_the_options_that_are_shown(page: str) -> None:
    known = typer.main.get_command(app)
    assert isinstance(known, typer.core.TyperGroup)
    for name, *arguments in commands(page):
        assert name in known.commands, f"{page} shows the command {name}"
        command = known.commands[name]
        context = command.context_class(command, info_name=name)
        command.make_parser(context).parse_args(arguments)


def test_every_option_that_is_described_is_one_of_a_training_command() -> None:
    known = typer.main.get_command(app)
    assert isinstance(known, typer.core.TyperGroup)
    options = {
        name
        for command in known.commands.values()
        for option in command.params
        for name in (*option.opts, *option.secondary_opts)
    }
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    described = {span.split()[0].split("=")[0] for span in spans(text) if span.startswith("--")}
    assert described <= options | {"--help"}


def test_the_deploy_page_describes_every_parameter_and_no_other() -> None:
    settings = (ROOT / "serverless.yml").read_text(encoding="utf-8")
    (defaults,) = re.findall(r"^params:\n  default:\n((?: {4}.+\n)+)", settings, re.MULTILINE)
    known = re.findall(r"^ {4}(\w+):", defaults, re.MULTILINE)
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    table = text.partition("| parameter | default |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == known


@pytest.mark.parametrize("page", ["README.md", "docs/deploy.md", "docs/operating.md"])
def test_every_deploy_parameter_that_is_shown_exists(page: str) -> None:
    settings = (ROOT / "serverless.yml").read_text(encoding="utf-8")
    shown = re.findall(r"--param ([a-z]\w*)=", (ROOT / page).read_text(encoding="utf-8"))
    assert shown
    assert [name for name in shown if not re.search(rf"^ {{4}}{name}:", settings, re.M)] == []


def test_what_the_layout_names_exists() -> None:
    text = README.read_text(encoding="utf-8")
    (layout,) = (block for block in blocks(text) if block.text.startswith("handler.py"))
    named = [line.split()[0] for line in layout.lines()]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/deploy.md"])
def test_every_make_target_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = [line for block in blocks(text) for line in block.lines()] + spans(text)
    targets = [target for line in shown for target in re.findall(r"^make ([a-z-]+)", line)]
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page}: make {target}"


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_file_that_is_named_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = {span for span in spans(text) if "/" in span and _FILE.fullmatch(span)}
    assert named
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_the_screenshots_of_the_readme_are_small() -> None:
    images = [README.parent / link for link in links(README.read_text()) if link.endswith(".png")]
    assert len(images) == 2
    assert sum(image.stat().st_size for image in images) < 300_000


def test_anchors_are_those_of_github() -> None:
    text = "# A `b`, c\n## Access and cost\n```\n# no heading\n```\n## [x](y.md): z\n## A b c\n"
    assert anchors(text) == {"a-b-c", "access-and-cost", "x-z", "a-b-c-1"}


def test_a_command_ends_where_the_shell_goes_on() -> None:
    line = "srun torchrun -m training train --data 'a b' | tee log # a comment"
    assert training_arguments(line) == ["train", "--data", "a b"]


def test_an_unknown_option_is_found() -> None:
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup)
    train = command.commands["train"]
    context = train.context_class(train, info_name="train")
    with pytest.raises(Exception, match="No such option"):
        train.make_parser(context).parse_args(["--no-such-option"])
