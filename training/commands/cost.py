"""The command that estimates the monthly cost on AWS."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import MODEL_HELP, AsJson
from training.errors import TrainingError
from training.output.printing import print_json, print_table, result_console
from training.output.progress import say


def cost(
    requests: Annotated[
        float, typer.Option(help="Images classified in a month, one per request; 1e6 works.")
    ] = 1_000_000,
    image: Annotated[
        Path | None,
        typer.Option(help="An image like those that will be sent.", show_default="a drawn one"),
    ] = None,
    memory: Annotated[int, typer.Option(help="MB of the function.")] = 1769,
    model: Annotated[
        str | None, typer.Option(help=MODEL_HELP, show_default="models/flying-objects")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate what a month of requests would cost on AWS.

    A classification is measured on this machine, and priced for both engines and both
    architectures, line by line.

    Example: `python -m training cost --requests 3e5 --image photo.jpg`
    """
    from model_loader import MAX_REQUEST_BYTES
    from training.cost.bill import Month, all_bills, ceiling
    from training.cost.measure import load_engines, measure, read_image
    from training.cost.prices import read_prices
    from training.cost.tables import bill_table, notes
    from training.models.weights import SHIPPED_MODELS
    from training.run import model_address

    if not requests.is_integer():
        raise TrainingError(f"--requests is {requests:g}; it must be a whole number: 1e6, say.")
    if not 1 <= requests <= 1e12:
        raise TrainingError(f"--requests is {requests:g}; a month has from 1 to 1e12 of them.")
    if not 128 <= memory <= 10_240:
        raise TrainingError(
            f"--memory is {memory:,}; Lambda gives a function from 128 to 10,240 MB."
        )
    month, prices = Month(int(requests), memory), read_prices()
    title, data = read_image(image)
    if len(data) > MAX_REQUEST_BYTES:
        say(
            f"A request holds about {MAX_REQUEST_BYTES / 1e6:g} MB of image; {title} is larger, so "
            "it is uploaded first. That takes one more request of the gateway and of Lambda, a PUT "
            "and a GET of S3, and its storage for a day or two: not counted."
        )
    models = load_engines(model_address(model or str(SHIPPED_MODELS / "flying-objects")))
    metadata = next(iter(models.values())).metadata
    steps = measure(models, title, data)
    milliseconds = {engine: one.total for engine, one in steps.items()}
    size = sum(file.size for file in metadata.files.values())
    bills = all_bills(milliseconds, size, month, prices)
    most = ceiling(milliseconds, month, prices)
    if as_json:
        print_json(
            {
                "model": f"{metadata.name} {metadata.version}",
                "image": {"title": title, "bytes": len(data)},
                "month": month._asdict(),
                "measured_ms": {engine: asdict(one) for engine, one in steps.items()},
                "bills": [{**asdict(one), "total": one.total} for one in bills],
                "ceiling": most,
                "assumptions": notes(month, prices),
                "prices": prices.model_dump(mode="json"),
            }
        )
        return
    console = result_console()
    console.print(f"{metadata.name} {metadata.version}; {title}, {len(data) / 1e3:,.0f} kB")
    print_table(bill_table(bills, most, month))
    for heading, text in notes(month, prices).items():
        console.print(f"{heading}: {text}")
    say(
        f"npx osls deploy --param engine={'onnx' if 'onnx' in models else 'torchscript'}",
        "Next:",
        is_command=True,
    )
