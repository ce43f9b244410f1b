"""The verb that says what a month would cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.errors import TrainingError
from training.output.printing import print_json, say


def cost(
    requests: Annotated[
        float, typer.Option(help="Pictures classified in a month, one a request: 1e6 works.")
    ] = 1_000_000,
    image: Annotated[
        Path | None,
        typer.Option(help="A picture like those that will be sent.", show_default="a drawn one"),
    ] = None,
    memory: Annotated[
        int | None, typer.Option(help="MB of the function.", show_default="as in serverless.yml")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A run's folder, or a model's or version's address, as in MODEL_URI.",
            show_default="models/flying-objects",
        ),
    ] = None,
    cold: Annotated[
        float, typer.Option(help="Share of the requests that find no warm function, 0 to 1.")
    ] = 0.01,
    start: Annotated[
        float | None,
        typer.Option(
            help="Milliseconds that a cold start adds at one whole vCPU.",
            show_default="each flavour's own",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Requests a second that the gateway lets through, for the most that a day can "
            "cost.",
            show_default="as in serverless.yml",
        ),
    ] = None,
    free_tier: Annotated[
        bool, typer.Option("--free-tier", help="Take off what AWS gives each account for nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with the amounts and the prices.")
    ] = False,
) -> None:
    """Measure a classification here, and print what a month of them would cost on AWS.

    For both flavours and both architectures, line by line: `cost --requests 3e5 --image gull.jpg`
    """
    from model_loader import MAX_REQUEST_BYTES
    from training.cost.bill import all_bills
    from training.cost.ceiling import ceiling
    from training.cost.estimate import Estimate, assumptions
    from training.cost.measure import load_engines, measure, read_picture
    from training.cost.prices import read_prices
    from training.cost.tables import print_estimate
    from training.cost.usage import FLAVOURS, MEMORY, RATE, Month
    from training.models.weights import SHIPPED_MODELS
    from training.run import model_address

    month = Month(_whole(requests), MEMORY if memory is None else memory, cold, start)
    prices = read_prices()
    picture = read_picture(image)
    if len(picture.data) > MAX_REQUEST_BYTES:
        say(
            f"A request holds about {MAX_REQUEST_BYTES / 1e6:g} MB of image; {picture.title} is "
            "larger, so it is uploaded first. That takes one more request of the gateway and of "
            "Lambda, a PUT and a GET of S3, and its storage for a day or two: not counted."
        )
    address = str(SHIPPED_MODELS / "flying-objects") if model is None else model_address(model)
    models = load_engines(address, tuple(flavour.engine for flavour in FLAVOURS))
    for flavour in FLAVOURS:
        if flavour.engine not in models:
            say(f"{flavour.title} is left out: {flavour.engine} cannot run this version.")
    metadata = next(iter(models.values())).metadata
    steps = measure(models, picture)
    size = sum(info.size for info in metadata.files.values())
    estimate = Estimate(
        f"{metadata.name} {metadata.version}",
        picture,
        month,
        steps,
        all_bills(steps, size, month, prices, free_tier),
        ceiling(RATE if rate is None else rate, steps, month, prices),
        assumptions(month, prices, free_tier),
    )
    if as_json:
        print_json(estimate.describe(prices))
    else:
        print_estimate(estimate)


def _whole(requests: float) -> int:
    if not requests.is_integer():
        raise TrainingError(f"--requests is {requests:g}; it must be a whole number: 1e6, say.")
    return int(requests)
