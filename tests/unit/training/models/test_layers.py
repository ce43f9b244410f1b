"""The table of a network's layers is seed 003's, and its command prints it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from training.commands.models import models
from training.errors import TrainingError
from training.models.classifier import build_model
from training.models.layers import Layer, LayerTable, layer_table

SEED = Path(__file__).parents[3] / "support" / "document_003_layers.csv"


@pytest.fixture(scope="module")
def document_rows() -> list[Layer]:
    with SEED.open(encoding="utf-8", newline="") as file:
        return [
            Layer(row["layer"], tuple(map(int, row["shape"].split())), int(row["parameters"]))
            for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def table() -> LayerTable:
    with torch.device("meta"):
        return layer_table(build_model("mobilenet_v2_multiscale", 4), (4, 3, 224, 224))


def run(*arguments: str) -> str:
    """Run the command alone; return what it prints on standard output."""
    app = typer.Typer()
    app.command()(models)
    return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout


def test_the_documents_table_is_whole(document_rows: list[Layer]) -> None:
    assert len(document_rows) == 193
    assert sum(row.parameters for row in document_rows) == 2_684_484


def test_multiscale_has_each_row_of_the_seed_in_its_place(
    table: LayerTable, document_rows: list[Layer]
) -> None:
    assert len(table.layers) == 193
    for ours, theirs in zip(table.layers, document_rows, strict=True):
        assert ours == theirs


def test_multiscale_has_the_documents_sums(table: LayerTable) -> None:
    assert (table.parameters, table.trainable) == (2_684_484, 2_684_484)
    assert f"{table.input_mb:.2f}" == "2.30"
    assert f"{table.passes_mb:.2f}" == "617.72"
    assert f"{table.parameters_mb:.2f}" == "10.24"


def test_the_text_is_the_documents(table: LayerTable) -> None:
    lines = str(table).splitlines()
    assert lines[3] == "            Conv2d-1          [4, 32, 112, 112]             864"
    assert lines[11] == "  InvertedResidual-9          [4, 16, 112, 112]               0"
    assert lines[-10:] == [
        "=" * 64,
        "Total params: 2,684,484",
        "Trainable params: 2,684,484",
        "Non-trainable params: 0",
        "-" * 64,
        "Input size (MB): 2.30",
        "Forward/backward pass size (MB): 617.72",
        "Params size (MB): 10.24",
        "Estimated Total Size (MB): 630.26",
        "-" * 64,
    ]


def test_frozen_layers_count_as_not_trainable() -> None:
    with torch.device("meta"):
        model = build_model("mobilenet_v2", 4)
    model.features.requires_grad_(False)
    table = layer_table(model, (1, 3, 64, 64))
    assert (table.parameters, table.trainable) == (2_228_996, 5_124)


def test_listing_leaves_the_network_as_it_was() -> None:
    model = build_model("mobilenet_v2", 4).train()
    model.features.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    layer_table(model, (2, 3, 32, 32))
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_transformer_is_listed_layer_by_layer() -> None:
    with torch.device("meta"):
        names = [
            row.name for row in layer_table(build_model("vit_b_32", 4), (2, 3, 224, 224)).layers
        ]
    assert names[0] == "Conv2d-1"
    assert names[-1].startswith("Linear-")
    assert sum(name.startswith("EncoderBlock-") for name in names) == 12
    assert not [name for name in names if name.startswith(("VisionTransformer", "Identity"))]


def test_the_command_lists_the_documents_models() -> None:
    listed = {row["model"]: row for row in json.loads(run("--json"))}
    assert {name: (row["parameters"], row["trainable"]) for name, row in listed.items()} == {
        "mobilenet_v2": (2_228_996, 5_124),
        "mobilenet_v2_spp": (2_331_396, 107_524),
        "mobilenet_v2_multiscale": (2_684_484, 132),
        "alexnet": (57_823_240, 819_400),
    }
    text = run()
    for row in listed.values():
        assert row["model"] in text
        assert f"{row['parameters']:,}" in text
        assert row["input"] in text


def test_the_command_counts_with_other_classes() -> None:
    (row, *_) = json.loads(run("--json", "--classes", "200"))
    assert row["trainable"] == 1280 * 200 + 200


def test_the_command_prints_the_layers_of_any_classifier(table: LayerTable) -> None:
    assert run("--layers", "mobilenet_v2_multiscale") == f"{table}\n"
    assert "Total params: 11,178,564" in run("--layers", "resnet18", "--classes", "4")
    rows = json.loads(run("--layers", "alexnet", "--json", "--side", "64"))
    assert rows["layers"][-1] == {"name": "Linear-22", "shape": [4, 200], "parameters": 819_400}


@pytest.mark.parametrize(("name", "side"), [("alexnet", "32"), ("vit_b_32", "256")])
def test_a_size_that_the_network_does_not_take_is_one_error(name: str, side: str) -> None:
    with pytest.raises(TrainingError, match=f"{name} does not take images of {side} × {side}"):
        run("--layers", name, "--side", side)
