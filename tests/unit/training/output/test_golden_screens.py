"""What the commands leave on a terminal of 80 and of 120 columns, as a person sees it.

The screens lie in ``screens/``. REWRITE_SCREENS=1 writes them anew; look at what changed.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from typer.main import get_group

from model_loader import Normalize, Resize, Timings, Transform
from tests.support.screen import on_screen
from training.cli import app
from training.cost import measure
from training.export.torchscript import export_version
from training.published import stored_versions
from training.published.stored_versions import Published
from training.report import page

SCREENS = Path(__file__).parent / "screens"
WIDTHS = (80, 120)
FOLDER = "bird photos"  # a name that a shell needs quoted
LABELS = (
    "Aircraft Airbus A320neo",
    "Balloon",
    "Barn owl",
    "Drone with four rotors",
    "Eurasian collared dove",
    "Great crested grebe",
    "Hang glider",
    "Kestrel",
    "Lapwing",
    "Northern flicker – yellow-shafted",
    "Parrot AR.Drone 2.0 Elite Edition",
    "Zeppelin",
)
_NORMALIZE = Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class NearestColour(nn.Module):
    """A network that knows each class by its mean colour; it computes the same everywhere."""

    def __init__(self, colours: Tensor) -> None:
        super().__init__()
        self.linear = nn.Linear(3, len(colours))
        self.linear.weight.data = 12 * colours
        self.linear.bias.data = -6 * colours.square().sum(1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(images.mean((2, 3)))
        return logits


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images of twelve classes, and a model that knows most of them."""
    folder = tmp_path_factory.mktemp("workplace")
    random = np.random.default_rng(0)
    colours = random.uniform(-0.8, 0.8, (len(LABELS), 3))
    for label, colour in zip(LABELS, colours, strict=True):
        (folder / FOLDER / label).mkdir(parents=True)
        for i in range(10):
            height, width = random.integers(40, 400, 2)
            seen = np.clip(colour + random.normal(0, 0.22, 3), -1, 1)
            grain = random.normal(0, 0.2, (height, width, 3))
            pixels = np.clip(127.5 * (1 + seen + grain), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / FOLDER / label / f"{i}.bmp")
    for label in LABELS[::5]:
        (folder / FOLDER / label / "broken.jpg").write_bytes(b"no image at all")
        again = (folder / FOLDER / label / "0.bmp").read_bytes()
        (folder / FOLDER / label / "again.bmp").write_bytes(again)
    files = sorted((folder / FOLDER).glob("*/*"))
    clips = [f"{path.parent.name}/{path.name},clip {i // 3}\n" for i, path in enumerate(files)]
    (folder / "groups.csv").write_text("file,group\n" + "".join(clips), encoding="utf-8")
    # The last class is never answered.
    known = torch.tensor(colours, dtype=torch.float32)
    known[-1] = 30
    transform = Transform((Resize(32, 32),), _NORMALIZE)
    network = NearestColour(known)
    export_version(network, folder / "model", name="birds", labels=LABELS, transform=transform)
    return folder


def report_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "write_report", lambda run, data: run / "report.html")


def classification_takes_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    timings = {"torchscript": Timings(2.0, 1.0, 12.0), "onnx": Timings(2.0, 1.0, 6.0)}
    monkeypatch.setattr(measure, "measure", lambda *_: timings)


def there_are_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    published = [
        Published(f"2026010{day}-120000-0123abcd", day == 2, 14_200_000, created, accuracy, sha)
        for day, created, accuracy, sha in (
            (3, "2026-01-03T12:00:00Z", 0.978, "3" * 64),
            (2, "2026-01-02T12:00:00Z", 0.965, "2" * 64),
            (1, "2026-01-01T12:00:00Z", None, "1" * 64),
        )
    ]
    monkeypatch.setattr(stored_versions, "list_versions", lambda address: published)


def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pass


NO_NEXT_STEP = ("predict", "predict-top-3", "versions")

Prepare = Callable[[pytest.MonkeyPatch], None]

COMMANDS: dict[str, tuple[str, Prepare]] = {
    "sample-data": ("sample-data 'new images' --per-class 1", nothing),
    "inspect": (f"inspect '{FOLDER}'", nothing),
    "clean": (f"clean '{FOLDER}' --set dark=0.1", nothing),
    "clean-to": (f"clean '{FOLDER}' --to cleaned", nothing),
    "split": (f"split '{FOLDER}' --to split.csv --groups groups.csv", nothing),
    "evaluate": (
        f"evaluate model --data '{FOLDER}' --groups groups.csv --target-precision 0.9",
        nothing,
    ),
    "predict": (f"predict '{FOLDER}/Barn owl' '{FOLDER}/Zeppelin' --model model", nothing),
    "predict-top-3": (f"predict '{FOLDER}/Barn owl' --model model --top-k 3", nothing),
    "report": ("report 'runs/bird photos'", report_is_drawn),
    "models": ("models", nothing),
    "versions": ("versions store/birds", there_are_versions),
    "cost": (
        f"cost --model model --image '{FOLDER}/Barn owl/0.bmp'",
        classification_takes_a_while,
    ),
}


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_person_sees(
    name: str, columns: int, workplace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    line, prepare = COMMANDS[name]
    for entry in workplace.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    monkeypatch.chdir(tmp_path)
    prepare(monkeypatch)
    shown = f"$ python -m training {line}\n" + on_screen(monkeypatch, columns, *shlex.split(line))
    shown = shown.replace(_version(workplace), "20260101-120000-0123abcd")
    golden = SCREENS / f"{name}-{columns}.txt"
    if os.environ.get("REWRITE_SCREENS"):
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in NO_NEXT_STEP])
def test_the_last_line_is_a_command_that_exists(name: str) -> None:
    *_, last = (SCREENS / f"{name}-120.txt").read_text(encoding="utf-8").splitlines()
    assert last.startswith("Next: ")
    program, *words = shlex.split(last.removeprefix("Next: "))
    if program == "npx":
        return
    assert (program, words[:2]) == ("python", ["-m", "training"])
    command = get_group(app).commands[words[2]]
    command.make_context(words[2], words[3:])  # parses the options


def _version(workplace: Path) -> str:
    return str(json.loads((workplace / "model" / "model.json").read_text())["version"])
