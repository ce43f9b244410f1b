"""``export --int8``: kept where it answers as well, refused where it does not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from model_loader import Metadata, ModelCorruptError, load_model
from model_loader import engine as engine_module
from model_loader.engine import sums_overflow
from model_loader.store import file_info
from tests.support.command_line import mistake, run
from tests.support.versions import LABELS, TRANSFORM, build_version
from training.errors import TrainingError
from training.export.int8 import Comparison
from training.export.torchscript import calibrate_version, export_version, int8_version
from training.published.publication import publish
from training.published.stored_versions import verified


class Layers(nn.Module):
    """A few convolutions, one of them depthwise, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2),
            nn.ReLU6(),
            nn.Conv2d(8, 8, 3, groups=8),
            nn.ReLU6(),
            nn.Conv2d(8, 16, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, len(LABELS)),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits


def pixels(count: int) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    generator = np.random.default_rng(1)
    return [generator.normal(size=(3, 32, 32)).astype(np.float32) for _ in range(count)]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a version, ``float32``, and ``int8``, the same in eight-bit numbers."""
    folder = tmp_path_factory.mktemp("both")
    export_version(Layers(), folder / "float32", name="n", labels=LABELS, transform=TRANSFORM)
    int8_version(folder / "float32", folder / "int8", pixels(16))
    return folder


def test_all_but_the_first_convolution_and_the_last_layer_hold_int8(both: Path) -> None:
    graph = onnx.load(both / "int8" / "model.onnx").graph
    kinds = [tensor.data_type for tensor in graph.initializer if len(tensor.dims) == 4]
    assert sorted(kinds) == sorted(
        [onnx.TensorProto.FLOAT, onnx.TensorProto.INT8, onnx.TensorProto.INT8]
    )


def test_the_answers_are_nearly_those_of_the_network(both: Path) -> None:
    images = np.stack(pixels(64))
    found, wanted = (
        load_model(str(both / name), "onnx").probabilities(images) for name in ("int8", "float32")
    )
    assert 0 < np.abs(found - wanted).max() < 0.02
    assert np.abs((found - wanted).mean(axis=0)).max() < 0.002


def test_each_file_reproduces_its_own_self_test(both: Path, tmp_path: Path) -> None:
    metadata = Metadata.from_json((both / "int8" / "model.json").read_bytes())
    assert metadata.describe()["precision"] == {"model.pt": "float32", "model.onnx": "int8"}
    assert set(metadata.self_test.int8) == {"model.onnx"}
    for engine in ("torchscript", "onnx"):
        assert load_model(str(both / "int8"), engine).metadata == metadata
    copy = Path(shutil.copytree(both / "int8", tmp_path / "copy"))
    wrong = replace(metadata.self_test, int8={"model.onnx": (0.97, 0.01, 0.01, 0.01)})
    (copy / "model.json").write_bytes(replace(metadata, self_test=wrong).to_json())
    load_model(str(copy), "torchscript")
    with pytest.raises(ModelCorruptError, match="fails its self-test"):
        load_model(str(copy), "onnx")


def test_a_temperature_changes_the_self_test_of_both_files(both: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(both / "int8", tmp_path / "copy"))
    before = Metadata.from_json((copy / "model.json").read_bytes()).self_test
    after = calibrate_version(copy, 0.25, 0.0, {}).self_test
    assert after.probabilities != before.probabilities
    assert after.int8 != before.int8
    for engine in ("torchscript", "onnx"):
        load_model(str(copy), engine)


def test_an_int8_version_is_published_and_verified(both: Path, tmp_path: Path) -> None:
    address = publish(both / "int8", str(tmp_path))
    with verified(address) as found:
        assert set(found.models) == {"torchscript", "onnx"}


def test_a_model_json_of_before_there_was_int8_still_loads(both: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(both / "float32", tmp_path / "copy"))
    document = json.loads((copy / "model.json").read_text())
    del document["precision"], document["self_test"]["int8"]
    (copy / "model.json").write_text(json.dumps(document))
    for engine in ("torchscript", "onnx"):
        assert load_model(str(copy), engine).metadata.precision("model.onnx") == "float32"


def test_an_int8_self_test_has_a_probability_for_each_label(both: Path) -> None:
    document = json.loads((both / "int8" / "model.json").read_text())
    document["self_test"]["int8"]["model.onnx"].pop()
    with pytest.raises(ModelCorruptError, match="self_test has 3 probabilities, but there are 4"):
        Metadata.from_json(json.dumps(document).encode())


def test_a_network_without_layers_to_quantise_is_named(tmp_path: Path) -> None:
    build_version(tmp_path / "tiny")
    with pytest.raises(TrainingError, match="cannot be made int8: the network has too few layers"):
        int8_version(tmp_path / "tiny", tmp_path / "int8", pixels(2))


FLAGS = {
    "vendor_id : GenuineIntel\nflags\t: fpu avx2 fma": True,
    "flags\t: fpu avx512f avx512bw": True,
    "flags\t: fpu avx2 avx512_vnni": False,
    "flags\t: fpu avx2 avx_vnni": False,
    "Features\t: fp asimd asimddp": False,  # arm64
}


@pytest.mark.parametrize(("text", "overflows"), FLAGS.items())
def test_sums_overflow_on_x86_without_vnni_alone(
    text: str, overflows: bool, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert sums_overflow(tmp_path / "cpuinfo") is overflows


def test_where_sums_overflow_the_exact_way_gives_the_same_answers(
    both: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries: list[tuple[str, str]] = []

    class Options(onnxruntime.SessionOptions):  # type: ignore[misc]
        def add_session_config_entry(self, key: str, value: str) -> None:
            entries.append((key, value))
            super().add_session_config_entry(key, value)

    monkeypatch.setattr(onnxruntime, "SessionOptions", Options)
    answers = []
    for overflows in (False, True):
        monkeypatch.setattr(engine_module, "sums_overflow", lambda found=overflows: found)
        entries.clear()
        answers.append(load_model(str(both / "int8"), "onnx").probabilities(np.stack(pixels(8))))
        assert (("session.x64quantprecision", "1") in entries) is overflows
    if not sums_overflow():
        np.testing.assert_allclose(answers[0], answers[1], atol=1e-3)


def comparison(n: int, right: int, right_float32: int) -> Comparison:
    return Comparison(n, right / n, right_float32 / n, 0.99, 0.003, 2.6, 8.9, 3.1, 6.5, 128)


@pytest.mark.parametrize(
    ("right", "kept"), [(195, True), (190, True), (189, True), (188, False), (100, False)]
)
def test_half_a_point_of_accuracy_may_be_lost(right: int, kept: bool) -> None:
    assert comparison(200, right, 190).is_kept is kept


def test_the_verdict_has_both_accuracies() -> None:
    assert str(comparison(200, 190, 190)).startswith(
        "model.onnx is int8 now: accuracy 0.950 on 200 validation images, 0.950 in float32; 99.0%"
    )
    refused = str(comparison(200, 180, 190))
    assert refused.startswith("int8 is refused, model.onnx stays float32: accuracy 0.900 on 200")
    assert refused.endswith("At most 0.5 points of accuracy may be lost.")


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished / "run", tmp_path / "run"))


def test_a_refused_int8_leaves_a_float32_version_and_fails(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.export.int8.MOST_POINTS", -101)
    assert "is float32, not int8" in mistake(capsys, "export", copied, "--int8")
    document = json.loads((copied / "model" / "model.json").read_text())
    assert set(document["precision"].values()) == {"float32"}
    assert set(document["metrics"]) == {"test"}
    load_model(str(copied / "model"), "onnx")


def test_a_kept_int8_is_what_is_measured_and_shown(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.export.int8.MOST_POINTS", 100)
    before = file_info(copied / "model" / "model.onnx").size
    assert run("export", copied, "--int8") == 0
    assert "model.onnx is int8 now: accuracy" in capsys.readouterr().err
    document = json.loads((copied / "model" / "model.json").read_text())
    assert document["precision"] == {"model.pt": "float32", "model.onnx": "int8"}
    assert document["metrics"]["measured"] == "model.onnx"
    assert document["metrics"]["int8"]["calibrated_on"] > 0
    assert file_info(copied / "model" / "model.onnx").size < before / 3
    assert run("evaluate", copied, "--engine", "onnx", "--json") == 0
    assert (
        json.loads(capsys.readouterr().out)["accuracy"] == document["metrics"]["test"]["accuracy"]
    )
    assert run("report", copied) == 0
    assert "of eight-bit numbers: on" in (copied / "report.html").read_text(encoding="utf-8")
    assert not list(copied.glob(".int8-*"))
