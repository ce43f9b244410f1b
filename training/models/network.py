"""The interface of every architecture: blocks, an embedding, and one last layer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

State = Mapping[str, Tensor]


class Classifier(nn.Module):
    """A network in blocks, any number of which can stay frozen, and a last layer.

    ``forward`` is ``features`` block by block, then ``pool``, then ``classifier``; the last layer
    of ``classifier`` is the ``head``. The state dict has torchvision's names, also where the
    attributes are named otherwise: a checkpoint loads into torchvision's network and back.

    Attributes:
        features: The blocks in order from the input. Each takes the output of the one before it;
            the first takes images, float32 [B, 3, H, W], normalised.
        pool: From the last block's output to what ``classifier`` takes.
        classifier: From there to logits, float32 [B, classes]; it ends with a linear layer.
        any_size: Whether images of every height and width are one network's input, so that an
            export has to take them too. Without it, an export is for one size.
    """

    _version = 2  # of the state dict: torchvision's MNASNet takes 1 for an older form of its own

    # TorchScript would compile properties; none of these is part of the computation.
    __jit_unused_properties__ = ["head", "head_dropout", "cacheable_blocks"]

    def __init__(
        self,
        features: nn.Sequential,
        pool: nn.Module,
        classifier: nn.Sequential,
        *,
        any_size: bool = False,
    ) -> None:
        """Join the parts.

        Raises:
            TypeError: ``classifier`` does not end with a linear layer.
        """
        super().__init__()
        if not isinstance(classifier[-1], nn.Linear):
            raise TypeError(f"the last layer must be linear, not {type(classifier[-1]).__name__}")
        for block in features:
            if isinstance(block, nn.ReLU):
                block.inplace = False  # it would overwrite maps that were given to ``from_block``
        self.features = features
        self.pool = pool
        self.classifier = classifier
        self.any_size = any_size

    @property
    def head(self) -> nn.Linear:
        """The last layer alone, from ``embed``'s output to logits."""
        head = self.classifier[-1]
        assert isinstance(head, nn.Linear)
        return head

    @property
    def head_dropout(self) -> float:
        """The rate of the dropout right before the head; it belongs to ``embed``.

        Where ``embed``'s outputs are computed once, in eval mode, training the head on them has
        to apply this dropout itself if it wants it.
        """
        before = self.classifier[-2] if len(self.classifier) > 1 else None
        return before.p if isinstance(before, nn.Dropout) else 0.0

    @property
    def cacheable_blocks(self) -> int:
        """The largest k that ``to_block`` and ``from_block`` take."""
        return len(self.features)

    def embed(self, images: Tensor) -> Tensor:
        """Return what the head works on, float32 [B, F]: the network without its last layer."""
        return self.embed_from(0, images)

    def embed_from(self, k: int, maps: Tensor) -> Tensor:
        """Return what the head works on, float32 [B, F], given the first k blocks' output."""
        for index, block in enumerate(self.features):
            if index >= k:
                maps = block(maps)
        values: Tensor = self.pool(maps)
        for index, layer in enumerate(self.classifier):
            if index < len(self.classifier) - 1:  # TorchScript cannot call a slice's layers
                values = layer(values)
        return values

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, float32 [B, classes]."""
        logits: Tensor = self.classifier[-1](self.embed_from(0, images))
        return logits

    def to_block(self, k: int, images: Tensor) -> Tensor:
        """Return the first k blocks' output; for k = 0, the images.

        Raises:
            ValueError: k is not in 0…``cacheable_blocks``.
        """
        self._check(k)
        maps: Tensor = self.features[:k](images)
        return maps

    def from_block(self, k: int, maps: Tensor) -> Tensor:
        """Return the logits, float32 [B, classes], given the first k blocks' output.

        ``from_block(k, to_block(k, images))`` is ``forward(images)``. The maps are not changed.

        Raises:
            ValueError: k is not in 0…``cacheable_blocks``.
        """
        self._check(k)
        logits: Tensor = self.head(self.embed_from(k, maps))
        return logits

    def _check(self, k: int) -> None:
        if not 0 <= k <= self.cacheable_blocks:
            raise ValueError(f"k is {k}; this network takes 0 to {self.cacheable_blocks}")


def name_as(network: Classifier, names: Mapping[str, str]) -> None:
    """Give the tensors of a network's state dict other names.

    Args:
        network: Its state dict is written and read in the other names from now on.
        names: Maps the start of an attribute's path to the start of the name in the state dict;
            of several that fit, the longest counts.
    """
    write, read = partial(_write_names, dict(names)), partial(_read_names, dict(names))
    network.register_state_dict_post_hook(write)  # type: ignore[no-untyped-call]
    network.register_load_state_dict_pre_hook(read)  # type: ignore[no-untyped-call]


def _write_names(
    names: dict[str, str], _: nn.Module, state: dict[str, Tensor], prefix: str, *__: Any
) -> None:
    _rename(state, prefix, names)


def _read_names(
    names: dict[str, str], _: nn.Module, state: dict[str, Tensor], prefix: str, *__: Any
) -> None:
    _rename(state, prefix, {theirs: ours for ours, theirs in names.items()})


def _rename(state: dict[str, Tensor], prefix: str, names: dict[str, str]) -> None:
    starts = sorted(names, key=len, reverse=True)
    for key in [key for key in state if key.startswith(prefix)]:  # re-added: keeps their order
        value, rest = state.pop(key), key[len(prefix) :]
        start = next((start for start in starts if rest.startswith(start)), "")
        state[prefix + names.get(start, start) + rest[len(start) :]] = value
