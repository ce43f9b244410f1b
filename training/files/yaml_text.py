"""YAML files: read whole, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

LARGEST = 100_000
"""Bytes of a file or characters of a text that are read at most."""

_MOST_VALUES = 10_000


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping, where PyYAML takes the last of them."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise ValueError(f"the key {key.value!r} stands twice")
                seen.add(key.value)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > _MOST_VALUES:  # before merges of merges fill the memory
            raise ValueError("its merge keys unfold to too many values")


def read_yaml(text: bytes | str) -> Any:
    """Read one YAML document: UTF-8, or UTF-16 with a byte order mark.

    Aliases become copies, so that a change to one place changes no other.

    Raises:
        ValueError: It is not YAML, or too large; the message is one line.
    """
    if len(text) > LARGEST:
        raise ValueError(f"it is longer than {LARGEST:,} bytes")
    try:
        return _copied(yaml.load(text, _Loader), iter(range(_MOST_VALUES)))
    except StopIteration:
        raise ValueError(f"it unfolds to more than {_MOST_VALUES:,} values") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except Exception as error:
        # PyYAML's own errors, and whatever its constructors make of a tag on the wrong value.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(reason.rstrip(".")) from error


def set_value(document: dict[str, Any], assignment: str) -> None:
    """Change one value of a document.

    Args:
        document: Mappings and lists.
        assignment: ``key=value``; dots and numbers lead into the document: ``stages.0.epochs=3``.

    Raises:
        ValueError: There is no such place, or the value is not YAML.
    """
    dotted, equals, text = assignment.partition("=")
    *parents, last = dotted.split(".")
    target: Any = document
    try:
        for key in parents:
            in_list = isinstance(target, list)
            target = target[int(key)] if in_list else target.setdefault(key, {})
        if not equals:
            raise KeyError(dotted)
        target[int(last) if isinstance(target, list) else last] = read_yaml(text)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"there is no {dotted!r}") from error


def _copied(value: Any, budget: Iterator[int]) -> Any:
    next(budget)
    if isinstance(value, dict):
        return {key: _copied(its, budget) for key, its in value.items()}
    if isinstance(value, list):
        return [_copied(its, budget) for its in value]
    return value
