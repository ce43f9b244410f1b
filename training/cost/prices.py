"""AWS's prices: ``prices.yaml``, validated."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Self

import yaml
from pydantic import Field, ValidationError, model_validator

from training.errors import TrainingError
from training.files.settings import Settings, explain

SHIPPED = Path(__file__).parent / "prices.yaml"

TITLES = {
    "lambda_requests": "Lambda requests",
    "lambda_x86_64": "Lambda GB-seconds",
    "lambda_arm64": "Lambda GB-seconds",
    "gateway_rest": "API Gateway (REST)",
    "s3_storage": "S3 storage",
    "s3_get": "S3 GET",
    "ecr_storage": "ECR storage",
    "transfer_out": "data out",
    "logs": "CloudWatch logs",
}
"""Each item of a bill by its key in ``prices.yaml``, and its title, in order."""


class Tier(Settings):
    """A price in US dollars for ``Price.per`` units, up to a monthly amount or without end."""

    price: float = Field(gt=0)
    up_to: float | None = Field(None, gt=0)


class Price(Settings):
    """The price of one item; the keys are explained in ``prices.yaml``."""

    page: str = Field(min_length=1)
    unit: str = Field(min_length=1)
    per: int = Field(gt=0)
    tiers: tuple[Tier, ...] = Field(min_length=1)
    free: float = Field(0, ge=0)

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        ends = [tier.up_to or float("inf") for tier in self.tiers]
        if ends[-1] != float("inf") or sorted({*ends}) != ends:
            raise ValueError("the tiers' up_to must rise, and the last tier must have none")
        return self

    def cost(self, amount: float, free_tier: bool = False) -> float:
        """Return the US dollars for a monthly amount, less the free tier if asked for."""
        amount = max(0.0, amount - self.free) if free_tier else amount
        dollars, begin = 0.0, 0.0
        for tier in self.tiers:
            end = min(amount, tier.up_to or amount)
            dollars += max(0.0, end - begin) * tier.price / self.per
            begin = end
        return dollars


class PriceList(Settings):
    """The prices of one region, and the day on which they were noted."""

    noted: date
    region: str = Field(min_length=1)
    prices: dict[str, Price]

    @model_validator(mode="after")
    def _are_complete(self) -> Self:
        if missing := [item for item in TITLES if item not in self.prices]:
            raise ValueError(f"there is no price of {', '.join(missing)}")
        return self


def read_prices(path: Path = SHIPPED) -> PriceList:
    """Read a price list, or refuse it in a sentence (TrainingError)."""
    try:
        return PriceList.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise TrainingError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        reason = explain(error, PriceList)
        raise TrainingError(f"{path}: {reason} Fix it, or take it from git.") from error
