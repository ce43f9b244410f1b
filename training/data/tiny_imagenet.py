"""Tiny ImageNet: its original layout, one folder per class for validation, names for its wnids.

::

    wnids.txt                        the 200 classes, one a line: n02124075
    words.txt                        n02124075<tab>Egyptian cat
    train/<wnid>/images/*.JPEG       500 images of each class
    val/val_annotations.txt          val_0.JPEG<tab>n03444034<tab>…
    val/images/*.JPEG                50 of each class; sorted: val/images/<wnid>/*.JPEG

Other tools sort the validation images as val/<wnid>/*.JPEG or val/<wnid>/images/*.JPEG, which is
taken, too.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.data.labels import label_of
from training.data.parts import ClassFolder
from training.errors import TrainingError
from training.files.texts import read_lines

LISTS = ("wnids.txt", "words.txt")
"""The files beside the images that this layout cannot be read without."""


@dataclass(frozen=True)
class Sorted:
    """The result of sorting the validation images.

    Attributes:
        moved: Images moved into their class's folder.
        already: Images that were there already.
        missing: Names in ``val_annotations.txt`` without an image.
        unknown: Images in ``val/images`` that it does not name; they stay.
    """

    moved: int
    already: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


def is_tiny_imagenet(root: Path) -> bool:
    """Return whether a folder has Tiny ImageNet's layout."""
    return (root / "wnids.txt").is_file() and (root / "train").is_dir()


def has_annotations(root: Path) -> bool:
    """Return whether there is a list to sort the validation images by."""
    return (root / "val" / "val_annotations.txt").is_file()


def sort_validation(root: Path, on_image: Callable[[], None] = lambda: None) -> Sorted:
    """Move each validation image into a folder of its class: val/images/<wnid>/<image>.

    Each image is renamed once: an interrupted call loses nothing, and the next one finishes.
    ``on_image`` is called for every line of ``val_annotations.txt``.

    Raises:
        TrainingError: The layout is another, the annotations are damaged, or an image is at both
            places; nothing is overwritten.
    """
    images = root / "val" / "images"
    annotations = read_annotations(root)
    moved = already = 0
    missing = []
    for name, wnid in annotations.items():
        source, target = images / name, images / wnid / name
        folders = (images / wnid, root / "val" / wnid)
        places = [folder / below / name for folder in folders for below in ("", "images")]
        if there := next(filter(os.path.isfile, places), None):
            if os.path.isfile(source):  # noqa: PTH113
                raise TrainingError(
                    f"{name} is in {images} and in {there.parent}. Remove the one that is wrong, "
                    "and run this again."
                )
            already += 1
        elif os.path.isfile(source):  # noqa: PTH113
            target.parent.mkdir(exist_ok=True)
            source.rename(target)
            moved += 1
        else:
            missing.append(name)
        on_image()
    left = images.iterdir() if images.is_dir() else ()
    unknown = sorted(path.name for path in left if path.is_file() and path.name not in annotations)
    return Sorted(moved, already, tuple(missing), tuple(unknown))


def read_annotations(root: Path) -> dict[str, str]:
    """Return the wnid of each validation image, by its file's name.

    Raises:
        TrainingError: There is no such file, or a line in it is none of this form.
    """
    path = root / "val" / "val_annotations.txt"
    if not (root / "val").is_dir():
        raise TrainingError(
            f"{root} has no folder val. Give the folder that Tiny ImageNet unpacks to, "
            "tiny-imagenet-200."
        )
    wnids = set(read_wnids(root))
    found: dict[str, str] = {}
    for number, line in enumerate(_lines(path), 1):
        name, wnid, *_ = [*line.split("\t"), "", ""]
        if not name or Path(name).name != name:
            raise TrainingError(f"{path}, line {number}: {name!r} is no name of an image.")
        if wnid not in wnids:
            raise TrainingError(
                f"{path}, line {number}: {name!r} is of class {wnid!r}, which wnids.txt does not "
                "name."
            )
        if found.setdefault(name, wnid) != wnid:
            raise TrainingError(f"{path}, line {number}: {name!r} has two classes.")
    return found


def read_wnids(root: Path) -> tuple[str, ...]:
    """Return the classes of ``wnids.txt``, in order of the alphabet.

    Raises:
        TrainingError: The file cannot be read, or a line in it is no name of a folder.
    """
    path = root / "wnids.txt"
    wnids = {line.strip() for line in _lines(path)}
    strange = sorted(wnid for wnid in wnids if not re.fullmatch(r"[A-Za-z0-9_-]{1,99}", wnid))
    if strange:
        raise TrainingError(f"{path}: {strange[0]!r} is no name of a class folder (a wnid).")
    return tuple(sorted(wnids))


def read_names(root: Path) -> dict[str, str]:
    """Return a label for each wnid: the first of its words, and no label twice.

    If two wnids begin with the same word (*crane*, the bird and the machine; *Cardigan*, the dog,
    and *cardigan*), each gets all its words, and if these are the same, its wnid. Case does not
    count, because labels become names of files.

    Raises:
        TrainingError: ``words.txt`` is missing, or has no name for a wnid that will do.
    """
    wnids = read_wnids(root)
    words: dict[str, str] = {}
    for line in _lines(root / "words.txt"):
        wnid, _, text = line.partition("\t")
        words[wnid.strip()] = text.strip(" \t,")
    nameless = [wnid for wnid in wnids if not words.get(wnid)]
    if nameless:
        raise TrainingError(
            f"{root / 'words.txt'} has no name for {len(nameless)} of {len(wnids)} wnids, the "
            f"first is {nameless[0]}."
        )
    names = {wnid: words[wnid].split(",")[0].strip() for wnid in wnids}
    for wnid in _shared(names):
        names[wnid] = words[wnid]
    for wnid in _shared(names):
        names[wnid] += f" ({wnid})"
    return {wnid: label_of(name, f"{root / 'words.txt'}, {wnid}") for wnid, name in names.items()}


def _shared(names: dict[str, str]) -> list[str]:
    """Return the wnids whose name another wnid has, too."""
    count = Counter(name.casefold() for name in names.values())
    return [wnid for wnid, name in names.items() if count[name.casefold()] > 1]


def tiny_class_folders(root: Path) -> tuple[ClassFolder, ...]:
    """Return the folders of each class: of ``train/``, and where its validation images may be.

    The labels are the names of ``words.txt``. The test images have no published labels, so the
    validation images serve for both parts: see ``source.read_source``.

    Raises:
        TrainingError: A list is missing or damaged, or a class has no folder in ``train/``.
    """
    names = read_names(root)
    folders = []
    for wnid, name in sorted(names.items(), key=lambda pair: pair[1]):
        if not (root / "train" / wnid).is_dir():
            raise TrainingError(f"{root / 'train' / wnid} has no images (class {name!r}).")
        folders.append(ClassFolder(f"train/{wnid}", name, "train"))
        folders += [
            ClassFolder(path, name, "validation")
            for path in (f"val/images/{wnid}", f"val/{wnid}")
            if (root / path).is_dir()
        ]
    return tuple(folders)


def check_tiny_imagenet(root: Path, train: Mapping[str, int], held: Mapping[str, int]) -> None:
    """Check that each class has images in train/, and enough to halve in val/, by their numbers.

    Raises:
        TrainingError: It names the class, and says how to sort the validation images.
    """
    for wnid, name in read_names(root).items():
        if not train.get(name):
            raise TrainingError(f"{root / 'train' / wnid} has no images (class {name!r}).")
        if held.get(name, 0) < 2:
            raise TrainingError(
                f"{root / 'val' / 'images' / wnid} has {held.get(name, 0)} images, too few for "
                f"validation and test (class {name!r}). Sort them into folders with "
                f"`python -m training tiny-imagenet {root}`."
            )


def _lines(path: Path) -> list[str]:
    """Return a file's lines, empty ones left out."""
    try:
        return [line for line in read_lines(path) if line.strip()]
    except OSError as error:
        raise TrainingError(
            f"{path} cannot be read ({error}). Give the folder that Tiny ImageNet unpacks to, "
            "tiny-imagenet-200."
        ) from error
