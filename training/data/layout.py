"""The class folders of a data folder, or those of each part of a given split.

A folder is split already if all of its folders that hold images are named as parts, ``train`` and
another one among them, with class folders inside. So a class may be called ``train``: beside
``bus`` and ``car`` it is one. If only some are named so, but hold the same classes, the folder is
refused.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from training.data.parts import (
    PARTS,
    ClassFolder,
    Part,
    is_unlabelled,
    is_wrapper,
    read_part_name,
)
from training.data.suffixes import is_image_name
from training.data.tiny_imagenet import is_tiny_imagenet, tiny_class_folders
from training.data.walk import LeftOut, Reason, class_folders, loose_files, walk_images
from training.errors import TrainingError

_DEEPEST = 3  # folders with only one folder of images in them that a split may lie in


@dataclass(frozen=True)
class _PartFolder:
    """A part of a split on the disk.

    Attributes:
        part: The part.
        path: Its folder.
        inner: The folder that holds its class folders: the same one, or a wrapper in it.
        classes: The class folders that hold images.
    """

    part: Part
    path: Path
    inner: Path
    classes: tuple[Path, ...]

    @property
    def labels(self) -> list[str]:
        """The names of its class folders."""
        return [folder.name for folder in self.classes]


def find_class_folders(root: Path, left_out: LeftOut) -> tuple[ClassFolder, ...]:
    """Return the class folders of a data folder, by part and name.

    The images outside of them are counted in ``left_out``.

    Raises:
        TrainingError: There is no such folder, or its split cannot be used.
    """
    if not os.path.isdir(root):  # noqa: PTH112
        raise TrainingError(f"There is no folder {root}. Give --data a folder of class folders.")
    if is_tiny_imagenet(root):
        folders = tiny_class_folders(root)
        if (unsorted := root / "val" / "images").is_dir():
            _count_loose(root, unsorted, Reason.UNLABELLED, left_out)
        return folders
    parts = _given_parts(root, left_out)
    if parts:
        return tuple(
            ClassFolder(_below(root, folder), folder.name, given.part)
            for given in parts
            for folder in given.classes
        )
    _check_no_parts(root)
    _count_loose(root, root, Reason.OUTSIDE, left_out)
    return tuple(ClassFolder(path.name, path.name) for path in class_folders(root, left_out))


def parts_in_classes(root: Path) -> list[str]:
    """Return the folders in every class folder that are named as parts, ``train`` among them."""
    classes = [folder for folder in class_folders(root) if has_images(folder)]
    inner = [{path.name for path in class_folders(path) if has_images(path)} for path in classes]
    parts = {
        name: part.part
        for name in set.intersection(*inner)
        if (part := read_part_name(name)) and not part.rest
    }
    if len(parts) < 2 or "train" not in parts.values():
        return []
    return sorted(parts, key=lambda name: PARTS.index(parts[name]))


def has_images(folder: Path) -> bool:
    """Return whether a folder holds a file with an image's name, at any depth."""
    return any(True for _ in walk_images(folder))


def _given_parts(root: Path, left_out: LeftOut) -> Sequence[_PartFolder]:
    """Return the parts of a folder that is split already; none where it is not."""
    folder = root
    above: list[Path] = []
    for _ in range(_DEEPEST):
        if parts := _parts_in(root, folder, left_out):
            for upper in above:
                _count_beside(root, upper, Reason.OUTSIDE, left_out)
            return parts
        above.append(folder)
        holding = list(islice(filter(has_images, class_folders(folder)), 2))
        if len(holding) != 1:
            break
        folder = holding[0]
        if is_tiny_imagenet(folder):
            raise TrainingError(f"{root} holds Tiny ImageNet in {folder}. Give that folder.")
    return ()


def _parts_in(root: Path, folder: Path, left_out: LeftOut) -> Sequence[_PartFolder]:
    """Return the parts that lie directly in a folder, the one for training first."""
    names = {path: read_part_name(path.name) for path in class_folders(folder)}
    if not any(name and name.part == "train" for name in names.values()):
        return ()
    holding = {path: name for path, name in names.items() if has_images(path)}
    rests = {name.rest for name in holding.values() if name and name.part == "train"}
    if not rests:
        return ()
    rest = min(rests)
    parts = [
        _part_folder(path, name.part)
        for path, name in holding.items()
        if name and name.rest == rest
    ]
    parts.sort(key=lambda given: PARTS.index(given.part))
    others = [path for path in holding if path not in {given.path for given in parts}]
    unlabelled = [path for path in others if is_unlabelled(path.name)]
    labelled = [given for given in parts if given.classes]
    is_split = len(others) == len(unlabelled) and (not rest or _share_classes(labelled))
    if not is_split or len(holding) == 1 and len(parts[0].labels) < 2:
        _check_no_others(folder, labelled, others)
        return ()
    _check_parts(folder, parts)
    _count(root, folder, parts, unlabelled, left_out)
    for path, name in names.items():
        if name and path not in holding:  # an empty folder, say, which is counted
            deque(walk_images(path, left_out, f"{_below(root, path)}/"), 0)
    return labelled


def _part_folder(path: Path, part: Part) -> _PartFolder:
    inner = path
    for _ in range(_DEEPEST):
        classes = tuple(filter(has_images, class_folders(inner)))
        if len(classes) != 1 or not is_wrapper(classes[0].name, part):
            break
        inner = classes[0]
    return _PartFolder(part, path, inner, classes)


def _share_classes(parts: Sequence[_PartFolder]) -> bool:
    """Return whether there are several parts, and two class names or more that all of them have."""
    return len(parts) > 1 and len(set.intersection(*({*given.labels} for given in parts))) > 1


def _check_no_others(folder: Path, parts: Sequence[_PartFolder], others: Sequence[Path]) -> None:
    if others and _share_classes(parts):
        raise TrainingError(
            f"{folder} is split into {_listed(given.path.name for given in parts)}, but "
            f"{_listed(path.name for path in others)} beside them is none of the parts. Move it "
            "elsewhere, or its images into the parts."
        )


def _check_no_parts(folder: Path) -> None:
    """Refuse folders that look like parts, one by its name and all by their classes."""
    paths = [path for path in class_folders(folder) if has_images(path)]
    names = [read_part_name(path.name) for path in paths]
    if len(paths) < 2 or not any(name and not name.rest for name in names):
        return
    inner = [{inner.name for inner in class_folders(path) if has_images(inner)} for path in paths]
    shared = sorted(set.intersection(*inner))
    if len(shared) > 1:
        raise TrainingError(
            f"{folder} holds {_listed(path.name for path in paths)}, each with the class folders "
            f"{_listed(shared[:2])}: it looks split, but not into train, validation and test. Name "
            "the parts so, train at least; if they are your classes, give them other names."
        )


def _check_parts(folder: Path, parts: Sequence[_PartFolder]) -> None:
    named = _listed(given.path.name for given in parts)
    for part in PARTS:
        same = [given.path.name for given in parts if given.part == part]
        if len(same) > 1:
            raise TrainingError(
                f"{folder} is split into {named}, but {_listed(same)} are both for {part}. Give "
                "all but one of them another name, or move them elsewhere."
            )
    if not parts[0].classes:
        raise TrainingError(
            f"{folder} is split into {named}, but {parts[0].inner} has no class folders. Put its "
            f"images as {parts[0].inner}/<class name>/<image>.jpg; if {named} are your classes, "
            "give their folders other names."
        )
    labelled = [given for given in parts if given.classes]
    for one in labelled:
        for other in labelled:
            _check_agreement(folder, one, other)


def _check_agreement(folder: Path, one: _PartFolder, other: _PartFolder) -> None:
    """Refuse a class that one part has and another has not."""
    missing = sorted({*one.labels} - {*other.labels})
    if not missing:
        return
    label = missing[0]
    strange = {name.casefold(): name for name in {*other.labels} - {*one.labels}}
    near = get_close_matches(label.casefold(), strange, 1)
    spelled = f", where {strange[near[0]]!r} may be meant for it" if near else ""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    raise TrainingError(
        f"The parts of {folder} disagree: the class {label!r}{more} is in {one.path.name}, but not "
        f"in {other.path.name}{spelled}. Name the class folders alike and give each part images "
        f"of every class, or give --data {one.inner} alone, which is split then."
    )


def _count(
    root: Path,
    folder: Path,
    parts: Sequence[_PartFolder],
    unlabelled: Sequence[Path],
    left_out: LeftOut,
) -> None:
    """Count the images of a split folder that are in no class folder."""
    _count_beside(root, folder, Reason.OUTSIDE, left_out)
    for given in parts:
        if given.classes:
            _count_beside(root, given.inner, Reason.UNLABELLED, left_out)
    for path in (*unlabelled, *(given.path for given in parts if not given.classes)):
        below = _below(root, path)
        for name in walk_images(path):
            left_out.add(Reason.UNLABELLED, f"{below}/{name}")


def _count_beside(root: Path, folder: Path, reason: Reason, left_out: LeftOut) -> None:
    """Count what lies directly in a folder, beside the folders that are read."""
    class_folders(folder, left_out, "" if folder == root else f"{_below(root, folder)}/")
    _count_loose(root, folder, reason, left_out)


def _count_loose(root: Path, folder: Path, reason: Reason, left_out: LeftOut) -> None:
    for name in filter(is_image_name, loose_files(folder)):
        left_out.add(reason, _below(root, folder / name))


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
