"""Decide which copies of an image to keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from training.cleaning.examine import Examined
from training.cleaning.rules import Finding, Rules
from training.data.duplicates import NearIndex
from training.data.parts import Part


def copies(
    images: Sequence[Examined], rules: Rules, parts: Mapping[str, Part]
) -> Iterator[Finding]:
    """Judge copies: images with the same bytes, and near duplicates.

    - in one class: the first is kept. First is what stands in the test part, then in the
      validation part, if there is a split; then what has the most pixels, the most bytes, the
      smaller name.
    - in one class and two parts of the split: the same by the rule ``leak``, so that
      training loses the copy and the test stays what it was.
    - in two classes: nobody but a person knows which label is right, so that all are kept and
      reported as ``label-conflict``, or all dropped.

    Every dropped image is near one that is kept, not only near another dropped one.

    Args:
        images: Those that are fit otherwise.
        rules: Which rules, and their parameters.
        parts: In which part of a split each file stands; empty where nothing is split yet.
    """
    index = NearIndex(len(images), rules.distance, rules.difference)
    kept: list[Examined] = []
    same_bytes: dict[str, list[Examined]] = {}
    conflicting: set[str] = set()
    for image in sorted(images, key=lambda image: _rank(image, parts)):
        exact = same_bytes.get(image.sha256, [])
        assert image.thumbnail is not None
        near = [kept[entry] for entry in index.near(image.hash, image.thumbnail)]
        if "near-duplicate" in rules.skip:
            near = exact
        twins = [*exact, *(twin for twin in near if twin not in exact)]
        own = next((twin for twin in twins if twin.label == image.label), None)
        if own is not None and (finding := _own_class(image, own, rules, parts)) is not None:
            yield finding
            continue
        if "label-conflict" not in rules.skip:
            for twin in twins:
                if twin.label != image.label:
                    yield from _conflict(image, twin, rules, conflicting)
        index.add(image.hash, image.thumbnail)
        kept.append(image)
        same_bytes.setdefault(image.sha256, []).append(image)


def _rank(image: Examined, parts: Mapping[str, Part]) -> tuple[int, int, int, str]:
    """Return what orders copies: the first is kept."""
    part = parts.get(image.file)
    place = ("test", "validation", "train", None).index(part)
    return place, -image.width * image.height, -image.bytes, image.file


def _own_class(
    image: Examined, twin: Examined, rules: Rules, parts: Mapping[str, Part]
) -> Finding | None:
    how = _likeness(image, twin)
    part, other = parts.get(image.file), parts.get(twin.file)
    if part != other and part and other and "leak" not in rules.skip:
        reason = f"in {part}, {how} {twin.file} in {other}"
        return Finding(image.file, image.label, "leak", "drop", reason)
    rule = "exact-duplicate" if image.sha256 == twin.sha256 else "near-duplicate"
    if rule in rules.skip:
        return None
    return Finding(image.file, image.label, rule, "drop", f"{how} {twin.file}")


def _conflict(
    image: Examined, twin: Examined, rules: Rules, conflicting: set[str]
) -> Iterator[Finding]:
    """Report both sides, each once."""
    for one, other in ((image, twin), (twin, image)):
        if one.file not in conflicting:
            conflicting.add(one.file)
            reason = f"{_likeness(image, twin)} {other.file} of class {other.label}"
            yield Finding(one.file, one.label, "label-conflict", rules.conflicts, reason)


def _likeness(image: Examined, twin: Examined) -> str:
    return "the same bytes as" if image.sha256 == twin.sha256 else "nearly the same image as"
