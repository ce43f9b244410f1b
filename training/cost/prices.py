"""What AWS asks: ``prices.yaml``, validated, and what an amount of something costs by it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from training.errors import TrainingError

SHIPPED = Path(__file__).parent / "prices.yaml"
"""The one file that holds prices."""

Item = Literal[
    "lambda_requests",
    "lambda_x86_64",
    "lambda_arm64",
    "gateway_rest",
    "s3_storage",
    "s3_get",
    "ecr_storage",
    "transfer_out",
    "logs",
]
"""What a bill is made of, by its name in ``prices.yaml``."""

ITEMS: tuple[Item, ...] = get_args(Item)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Tier(_Strict):
    """A price that holds up to a month's total.

    Attributes:
        price: US dollars for ``Price.per`` units.
        up_to: Units; None for the last tier, which has no end.
    """

    price: float = Field(gt=0)
    up_to: float | None = Field(default=None, gt=0)


class Price(_Strict):
    """What one item costs.

    Attributes:
        page: AWS's page that has it.
        unit: What is counted.
        per: How many units a tier's price is for.
        tiers: In order of their ends.
        free: Units of each month that the account's free tier covers.
    """

    page: str = Field(min_length=1)
    unit: str = Field(min_length=1)
    per: int = Field(gt=0)
    tiers: tuple[Tier, ...] = Field(min_length=1)
    free: float = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        ends = [tier.up_to or float("inf") for tier in self.tiers]
        if ends[-1] != float("inf") or any(a >= b for a, b in zip(ends, ends[1:], strict=False)):
            raise ValueError("the tiers' up_to must rise, and the last tier must have none")
        return self

    def cost(self, amount: float, free_tier: bool = False) -> float:
        """Return the US dollars for a month's amount, in units.

        Args:
            amount: Of the whole month.
            free_tier: Whether the first ``free`` units cost nothing, as if the account used none
                of them elsewhere.
        """
        amount = max(0.0, amount - self.free) if free_tier else amount
        dollars, begin = 0.0, 0.0
        for tier in self.tiers:
            end = amount if tier.up_to is None else min(amount, tier.up_to)
            dollars += max(0.0, end - begin) * tier.price / self.per
            begin = end
        return dollars


class PriceList(_Strict):
    """All prices of one region.

    Attributes:
        noted: The day on which they were written down.
        region: AWS's name of it.
        prices: Of every ``Item``.
    """

    noted: date
    region: str = Field(min_length=1)
    prices: dict[Item, Price]

    @model_validator(mode="after")
    def _are_complete(self) -> Self:
        missing = [item for item in ITEMS if item not in self.prices]
        if missing:
            raise ValueError(f"there is no price of {', '.join(missing)}")
        return self


def read_prices(path: Path = SHIPPED) -> PriceList:
    """Read a price list.

    Raises:
        TrainingError: It is not YAML, or a price is missing or makes no sense.
    """
    try:
        return PriceList.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise TrainingError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        reason = first["msg"].removeprefix("Value error, ")
        raise TrainingError(f"{path}: {where}: {reason}. Mend it, or take it from git.") from error
