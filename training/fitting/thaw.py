"""The layers that a stage trains; they depend on the stage alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.modules.batchnorm import _BatchNorm

from training.errors import TrainingError
from training.models.classifier import Classifier

Thaw = Literal["head", "all"] | int
"""The last layer; all layers; or an integer n: the last n blocks and everything after."""


class StagedModel(nn.Module):
    """A model of which a stage trains the last layers; ``forward`` takes the frozen layers' output.

    Attributes:
        model: The whole model.
        start: The first block that is trained; None where only the head is.
    """

    def __init__(self, model: Classifier, thaw: Thaw, keep_statistics: bool = False) -> None:
        """Freeze the layers that ``thaw`` does not name.

        With ``keep_statistics``, BatchNorm keeps its running statistics in thawed layers too.

        Raises:
            TrainingError: The model has fewer blocks.
        """
        super().__init__()
        self.model = model
        self.start = first_block(model, thaw)
        self._keep_statistics = keep_statistics
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        for part in self.thawed():
            part.requires_grad_(True)

    @property
    def can_be_cached(self) -> bool:
        """Whether something is frozen whose outputs can be cached."""
        if self.start is None:
            return True
        return 0 < self.start <= self.model.cacheable_blocks

    def thawed(self) -> Iterator[nn.Module]:
        """Yield the modules that are trained."""
        if self.start is None:
            yield self.model.head
            return
        yield from list(self.model.features)[self.start :]
        yield from (part for name, part in self.model.named_children() if name != "features")

    def frozen(self, images: Tensor) -> Tensor:
        """Return the frozen layers' output for images: the input of ``forward``."""
        if self.start is None:
            return self.model.embed(images)
        return self.model.to_block(self.start, images)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits for the frozen layers' output."""
        if self.start is None:
            inputs = dropout(inputs, self.model.head_dropout, self.training)
            logits: Tensor = self.model.head(inputs)
            return logits
        return self.model.from_block(self.start, inputs)

    def answer(self, inputs: Tensor, are_images: bool) -> Tensor:
        """Return the logits for images, or for the frozen layers' output.

        Images and maps are laid out channels last, which takes a quarter less time; laying out the
        weights the same way changes nothing.
        """
        if inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        if are_images:
            with torch.no_grad():
                inputs = self.frozen(inputs)
        with _running_statistics(self, alone=len(inputs) == 1):
            logits: Tensor = self(inputs)
        return logits

    def train(self, mode: bool = True) -> StagedModel:
        """Set the mode of thawed layers; frozen ones stay in eval mode always.

        A frozen BatchNorm must not go on averaging, nor a frozen dropout drop.
        """
        super().train(mode)
        self.model.eval()
        for part in self.thawed():
            part.train(mode)
            if self._keep_statistics:
                for layer in part.modules():
                    if isinstance(layer, _BatchNorm):
                        layer.eval()
        return self


def first_block(model: Classifier, thaw: Thaw) -> int | None:
    """Return the index of the first block that is trained, None where only the head is.

    Raises:
        TrainingError: The model has fewer blocks than are to be thawed.
    """
    if thaw == "head":
        return None
    blocks = len(model.features)
    if thaw == "all":
        return 0
    if not 1 <= int(thaw) <= blocks:
        raise TrainingError(
            f"A stage thaws {thaw} blocks, but the model has {blocks}. Give thaw a number from 1 "
            f"to {blocks}, head, or all."
        )
    return blocks - int(thaw)


@contextmanager
def _running_statistics(module: nn.Module, alone: bool) -> Iterator[None]:
    """Let BatchNorm normalise an image that is alone in its batch by the running statistics.

    One image of an odd size has no variance of its own where its maps are 1 × 1.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    training = [layer for layer in layers if layer.training] if alone else []
    for layer in training:
        layer.eval()
    try:
        yield
    finally:
        for layer in training:
            layer.train()
