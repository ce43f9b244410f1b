"""The processes of a run, one or several that torchrun started, and their devices."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError

if TYPE_CHECKING:
    import lightning
    import torch

    from training.recipe import Recipe

_TORCHRUN = (
    ("RANK", "0"),
    ("WORLD_SIZE", "1"),
    ("LOCAL_WORLD_SIZE", "1"),
    ("LOCAL_RANK", "0"),
    ("GROUP_RANK", "0"),
)
_MEETING = ("MASTER_ADDR", "MASTER_PORT")

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
"""Those that keep weights in float32, which frozen layers, range tests and exports need."""
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")
_SHORT = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}

_FEWEST = 2
# Images of a batch for each process: BatchNorm needs two.


@dataclass(frozen=True)
class Hardware:
    """Processes and what they compute on.

    Attributes:
        accelerator: One of ``ACCELERATORS``.
        precision: One of ``PRECISIONS``.
        rank: The number of this process, from 0.
        world: Number of processes.
        local_world: Number of processes on this machine.
        local_rank: The number of this process among those of this machine, from 0.
        host: The number of this machine, from 0.
    """

    accelerator: str = "auto"
    precision: str = "32-true"
    rank: int = 0
    world: int = 1
    local_world: int = 1
    local_rank: int = 0
    host: int = 0

    @property
    def device(self) -> torch.device:
        """The device of this process: its own GPU where one is there and may be used."""
        import torch

        if self.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
            return torch.device("cuda", self.local_rank)
        return torch.device("cpu")

    @classmethod
    def from_environment(cls, accelerator: str, precision: str) -> Hardware:
        """Read the number of processes from torchrun's environment; check the options at once.

        Raises:
            TrainingError: It is not one that torchrun makes, or there is no such accelerator or
                precision, here or at all.
        """
        values = {name: os.environ.get(name, default) for name, default in _TORCHRUN}
        if not all(value.isdecimal() for value in values.values()):
            raise _not_torchruns(values)
        rank, world, local_world, local_rank, host = map(int, values.values())
        several = world > 1
        if (
            not rank < world
            or not local_rank < local_world
            or world % max(local_world, 1)
            or (several and not all(os.environ.get(name) for name in _MEETING))
        ):
            raise _not_torchruns(values)
        precision = _SHORT.get(precision, precision)
        _check_options(accelerator, precision)
        return cls(accelerator, precision, rank, world, local_world, local_rank, host)

    def trainer(self, **options: Any) -> lightning.Trainer:
        """Return Lightning's trainer for this hardware, without a log and files of its own."""
        # Here, not above: Lightning itself reads the environment when it is imported.
        from training.torchvision_import import torchvision  # noqa: F401  it imports this

        import lightning  # isort: skip

        precision: Any = self.precision  # Lightning checks it
        return lightning.Trainer(
            accelerator=self.accelerator,
            precision=precision,
            devices=self.local_world,
            num_nodes=self.world // self.local_world,
            strategy="ddp" if self.world > 1 else "auto",
            logger=False,  # its steps would restart in each stage: see EpochRecorder
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **options,
        )

    def check(self, recipe: Recipe) -> None:
        """Check that a recipe can be trained on this, before anything is read or written.

        Raises:
            TrainingError: It cannot; the message says what can.
        """
        share = recipe.batch_size // self.world
        if self.world > 1 and share < _FEWEST:
            raise TrainingError(
                f"{self.world} processes share the recipe's batch_size of {recipe.batch_size}, "
                f"which leaves {share} for each: start {recipe.batch_size // _FEWEST} at most, or "
                f"train with batch_size={_FEWEST * self.world} or more."
            )
        try:
            with quiet(), warnings.catch_warnings(action="ignore"):
                self.trainer()
        except (Exception, SystemExit) as error:
            # Lightning's own errors, ValueError, RuntimeError, ModuleNotFoundError …
            reason = " ".join(str(error).split()).rstrip(".!")
            raise _unusable(self.accelerator, reason) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's advice off the screen: it is about loading, and images are in memory."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers")
            warnings.filterwarnings("ignore", message=".*in eval mode at the start of training")
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def _check_options(accelerator: str, precision: str) -> None:
    if accelerator not in ACCELERATORS:
        raise _unusable(accelerator, f"there is {', '.join(ACCELERATORS)}")
    if precision not in PRECISIONS:
        raise TrainingError(
            f"--precision {precision} is not one that training has: give {', '.join(PRECISIONS)}."
        )
    if accelerator in ("auto", "cpu") and precision != "16-mixed":
        return
    import torch

    has_gpu = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": False,
    }
    usable = has_gpu.get(accelerator, any(has_gpu.values()))
    if not usable and accelerator not in ("auto", "cpu"):
        raise _unusable(accelerator, "this machine has none that torch can use")
    if not usable and precision == "16-mixed":
        raise TrainingError(
            "--precision 16-mixed needs a GPU. On a CPU give bf16-mixed, or 32-true."
        )


def _unusable(accelerator: str, reason: str) -> TrainingError:
    return TrainingError(
        f"--accelerator {accelerator} cannot be used here: {reason}. Leave it out to train on what "
        "this machine has."
    )


def _not_torchruns(values: dict[str, str]) -> TrainingError:
    names = (*values, *_MEETING)
    found = ", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)
    return TrainingError(
        f"The environment has {found}, which torchrun does not set so. Start several processes "
        "with torchrun, or unset these for one."
    )
