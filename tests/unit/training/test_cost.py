"""What a month costs: bills reckoned by hand, memory, prices, measuring, and the verb."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_loader import Timings, load_model
from tests.support.command_line import mistake, run
from tests.support.images import encode, noise
from training.cost.bill import LINES, Bill, all_bills, bill
from training.cost.ceiling import ceiling
from training.cost.measure import Picture, measure
from training.cost.prices import ITEMS, SHIPPED, PriceList, read_prices
from training.cost.usage import (
    FLAVOURS,
    MEMORY,
    RATE,
    REFRESH,
    TIMEOUT,
    Flavour,
    Month,
    billed_ms,
    use,
)
from training.errors import TrainingError

ROOT = Path(__file__).resolve().parents[3]
GIB = 2**30
IMAGE, ZIP = FLAVOURS


@pytest.fixture(scope="module")
def prices() -> PriceList:
    return read_prices()


def dollars(one: Bill) -> dict[str, float]:
    return {line.title: line.dollars for line in one.lines}


def month(requests: int = 1_000_000, memory: int = MEMORY, cold: float = 0.0) -> Month:
    return Month(requests, memory, cold)


def compute(memory: int, flavour: Flavour = ZIP, cold: float = 0.0) -> float:
    """Return the GB-seconds of a million requests of 15 ms, 10 of them measured."""
    usage = use(flavour, "lambda_x86_64", 10, 0, month(memory=memory, cold=cold))
    return usage.amounts["lambda_x86_64"]


def test_a_bill_is_the_one_reckoned_by_hand(prices: PriceList) -> None:
    # 10 ms measured and 5 of overhead: a million times 0.015 s at 1 GB and at 1769/1024 GB
    usage = use(ZIP, "lambda_x86_64", 10, GIB, month())
    paid = dollars(bill("ONNX zip", "x86_64", usage, prices))
    assert usage.billed_ms == 15
    assert paid["Lambda requests"] == pytest.approx(0.20)
    assert paid["Lambda GB-seconds"] == pytest.approx(15_000 * 1769 / 1024 * 0.0000166667)
    assert paid["API Gateway (REST)"] == pytest.approx(3.50)
    assert paid["S3 storage"] == pytest.approx((1 + 41e6 / GIB) * 0.023)
    assert paid["S3 GET"] == pytest.approx(43_800 / 1000 * 0.0004)  # every minute of 730 hours
    assert paid["data out"] == pytest.approx(1e9 / GIB * 0.09)
    assert paid["CloudWatch logs"] == pytest.approx(1.5e9 / GIB * 0.50)
    assert "ECR storage" not in paid


def test_the_total_is_the_sum_of_the_lines(prices: PriceList) -> None:
    usage = use(IMAGE, "lambda_arm64", 10, GIB, month())
    one = bill("TorchScript image", "arm64", usage, prices)
    assert one.total == pytest.approx(sum(dollars(one).values()))
    assert [line.title for line in one.lines] == [title for title, _ in LINES]


def test_both_flavours_have_a_bill_on_both_architectures(prices: PriceList) -> None:
    steps = {"torchscript": Timings(1, 2, 12), "onnx": Timings(1, 2, 6)}
    bills = all_bills(steps, GIB, month(), prices)
    assert [(one.flavour, one.architecture, one.billed_ms) for one in bills] == [
        ("TorchScript image", "x86_64", 20),
        ("TorchScript image", "arm64", 20),
        ("ONNX zip", "x86_64", 14),
        ("ONNX zip", "arm64", 14),
    ]
    x86, arm = (dollars(one)["Lambda GB-seconds"] for one in bills[2:])
    assert arm / x86 == pytest.approx(0.0000133334 / 0.0000166667)


def test_an_engine_that_was_not_measured_has_no_bill(prices: PriceList) -> None:
    bills = all_bills({"onnx": Timings(1, 2, 6)}, GIB, month(), prices)
    assert {one.flavour for one in bills} == {"ONNX zip"}


@pytest.mark.parametrize(
    ("milliseconds", "memory", "billed"),
    [
        (15, 1769, 15),
        (15.01, 1769, 16),  # begun is paid
        (15, 3538, 15),  # one thread gains nothing from a second vCPU
        (10, 128, math.ceil(10 * 1769 / 128)),
        (1, 1768, 2),
        (0, 1769, 1),
    ],
)
def test_time_stretches_below_a_whole_vcpu(milliseconds: float, memory: int, billed: int) -> None:
    assert billed_ms(milliseconds, memory) == billed


def test_less_than_a_vcpu_saves_nothing_and_more_costs_more() -> None:
    assert compute(memory=1769 // 4) == pytest.approx(compute(memory=1769), rel=0.02)
    assert compute(memory=2 * 1769) == pytest.approx(2 * compute(memory=1769))


@pytest.mark.parametrize("memory", [128, 10240])
def test_the_least_and_the_most_that_lambda_gives_are_taken(memory: int) -> None:
    assert month(memory=memory).memory == memory


def test_cold_starts_are_billed_and_read_the_model() -> None:
    warm, cold = (
        use(ZIP, "lambda_x86_64", 10, 0, month(cold=share)).amounts for share in (0.0, 0.02)
    )
    more = cold["lambda_x86_64"] - warm["lambda_x86_64"]
    assert more == pytest.approx(20_000 * 0.3 * 1769 / 1024)
    assert cold["s3_get"] - warm["s3_get"] == pytest.approx(20_000 * 3)
    longer = use(ZIP, "lambda_x86_64", 10, 0, Month(1_000_000, MEMORY, 0.02, start=600))
    assert longer.amounts["lambda_x86_64"] - warm["lambda_x86_64"] == pytest.approx(2 * more)


def test_functions_look_for_a_version_once_a_minute_each_and_never_without_a_request() -> None:
    # 15 ms each: 1e9 requests keep 6 functions busy for 730 hours, 10 look no more than 10 times
    many, few = (use(ZIP, "lambda_arm64", 10, 0, month(n)).amounts for n in (10**9, 10))
    assert many["s3_get"] == 6 * 730 * 60
    assert few["s3_get"] == 10


def test_tiers_follow_each_other(prices: PriceList) -> None:
    gateway = prices.prices["gateway_rest"]
    assert gateway.cost(333e6) == pytest.approx(333 * 3.50)
    assert gateway.cost(1001e6) == pytest.approx(333 * 3.50 + 667 * 2.80 + 1 * 2.38)


def test_the_free_tier_counts_only_when_asked_for(prices: PriceList) -> None:
    price = prices.prices["lambda_requests"]
    assert price.cost(1_500_000) == pytest.approx(0.30)
    assert price.cost(1_500_000, free_tier=True) == pytest.approx(0.10)
    assert price.cost(900_000, free_tier=True) == 0


def test_every_item_has_a_price_a_page_and_a_day(prices: PriceList) -> None:
    assert set(prices.prices) == set(ITEMS) == {item for _, items in LINES for item in items}
    assert prices.region == "us-east-1"
    assert all(price.page.startswith("A") and price.unit for price in prices.prices.values())
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", str(prices.noted))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file["prices"].pop("s3_get"), "no price of s3_get"),
        (lambda file: file["prices"]["logs"].pop("page"), "prices.logs.page"),
        (lambda file: file["prices"]["logs"].update(tiers=[{"price": -1}]), "greater than 0"),
        (lambda file: file["prices"]["gateway_rest"]["tiers"].pop(), "the last tier"),
        (lambda file: file["prices"]["gateway_rest"]["tiers"].reverse(), "must rise"),
        (lambda file: file.pop("noted"), "noted"),
    ],
)
def test_a_price_list_that_makes_no_sense_is_refused(
    tmp_path: Path, change: Any, said: str
) -> None:
    document = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    change(document)
    path = tmp_path / "prices.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(TrainingError, match=said):
        read_prices(path)


def test_the_defaults_and_the_gateway_are_those_of_the_deployment() -> None:
    text = (ROOT / "serverless.yml").read_text(encoding="utf-8")
    assert f"\n    memory: {MEMORY} " in text
    assert f"\n    refresh: {REFRESH} " in text
    assert f"\n    timeout: {TIMEOUT} " in text
    assert f"\n    rate: {RATE} " in text
    assert "- http: {" in text  # a REST API; httpApi would be the cheaper kind
    assert "httpApi" not in text


def test_the_most_that_a_day_can_cost_is_the_one_reckoned_by_hand(prices: PriceList) -> None:
    steps = {"onnx": Timings(1, 2, 7)}
    found = ceiling(10, steps, month(), prices)
    requests = 864_000
    each = 0.20e-6 + 3.50e-6 + 1_000 / GIB * 0.09 + 1_500 / GIB * 0.50
    gigabytes = 1769 / 1024
    x86, _ = found.such
    assert x86 == pytest.approx(requests * (each + 0.015 * gigabytes * 0.0000166667), rel=0.01)
    x86, arm = found.slowest
    assert x86 == pytest.approx(requests * (each + 29 * gigabytes * 0.0000166667), rel=0.01)
    assert arm == pytest.approx(requests * (each + 29 * gigabytes * 0.0000133334), rel=0.01)
    half = ceiling(10, steps, month(memory=885), prices).slowest[0]
    assert half == pytest.approx(x86 / 2, rel=0.01)  # no longer than the timeout, with half of it


def test_measuring_takes_the_steps_apart(published: str) -> None:
    models = {"onnx": load_model(published, "onnx", 1)}
    small, large = (
        measure(models, Picture("noise", encode(noise(side, side), "PNG")), runs=3)["onnx"]
        for side in (32, 1500)
    )
    assert large.decode > 10 * small.decode
    assert large.transform > 2 * small.transform
    assert small.inference > 0
    assert large.total == large.decode + large.transform + large.inference


def test_the_verb_prints_both_flavours_line_by_line(
    published: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cost", "--requests", "1e6", "--model", published) == 0
    out = capsys.readouterr().out
    for title, _ in LINES:
        assert title in out
    headings = ("TorchScript", "ONNX", "x86_64", "arm64", "billed at", "total", "such pictures")
    for heading in (*headings, "US dollars a day at most, at 10 requests a second"):
        assert heading in out
    said = " ".join(out.split())
    assert f"generally known on {read_prices().noted}" in said
    assert "must be checked" in said
    assert "free tier is not taken off" in said


def test_the_verb_prints_json_of_a_given_picture(
    published: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "gull.png"
    picture.write_bytes(encode(noise(300, 200), "PNG"))
    options = ("--image", picture, "--memory", 1024, "--cold", 0, "--free-tier", "--json")
    assert run("cost", "--requests", "3e5", "--model", published, "--rate", 2.5, *options) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["month"] == {"requests": 300_000, "memory": 1024, "cold": 0.0, "start": None}
    assert found["picture"] == {"title": str(picture), "bytes": picture.stat().st_size}
    assert set(found["measured_ms"]) == {"torchscript", "onnx"}
    assert found["ceiling"]["rate"] == 2.5
    assert len(found["ceiling"]["such"]) == len(found["bills"]) == 4
    for one in found["bills"]:
        lines = {line["title"]: line for line in one["lines"]}
        assert lines["Lambda GB-seconds"]["amount"] == pytest.approx(300 * one["billed_ms"])
        assert lines["Lambda requests"]["dollars"] == 0  # of the first million
        assert one["total"] == pytest.approx(sum(line["dollars"] for line in one["lines"]))
    assert PriceList.model_validate(found["prices"]) == read_prices()


def test_a_version_without_onnx_has_the_image_s_bill_alone(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(version, tmp_path / "version"))
    document = json.loads((folder / "model.json").read_text())
    del document["files"]["model.onnx"]
    (folder / "model.json").write_text(json.dumps(document))
    assert run("cost", "--model", folder, "--json") == 0
    printed = capsys.readouterr()
    bills = json.loads(printed.out)["bills"]
    assert {one["flavour"] for one in bills} == {"TorchScript image"}
    assert "ONNX zip is left out" in printed.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--requests", 0), "--requests is 0"),
        (("--requests", -5), "--requests is -5"),
        (("--requests", 1.5), "must be a whole number"),
        (("--requests", "nan"), "must be a whole number"),
        (("--memory", 127), "from 128 to 10,240 MB"),
        (("--memory", 10241), "from 128 to 10,240 MB"),
        (("--cold", 1.5), "between 0 and 1"),
        (("--start", -1), "--start is -1"),
        (("--rate", 0), "--rate is 0"),
        (("--image", "nowhere/gull.jpg"), "There is no nowhere/gull.jpg"),
        (("--image", __file__), "cannot be classified"),
        (("--model", "nowhere"), "nowhere"),
    ],
)
def test_what_makes_no_sense_is_a_mistake(
    published: str, capsys: pytest.CaptureFixture[str], options: tuple[object, ...], said: str
) -> None:
    assert said in mistake(capsys, "cost", "--model", published, *options)


def test_a_picture_too_large_for_a_request_is_named(
    published: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "large.bmp"
    picture.write_bytes(encode(noise(1500, 1100), "BMP"))
    assert run("cost", "--model", published, "--image", picture, "--json") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "holds about 4.5 MB" in said
    assert "uploaded first" in said
