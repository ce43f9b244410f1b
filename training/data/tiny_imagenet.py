"""Tiny ImageNet: its original layout, one folder per class for validation, names for its wnids.

::

    wnids.txt                        the 200 classes, one a line: n02124075
    words.txt                        n02124075<tab>Egyptian cat
    train/<wnid>/images/*.JPEG       500 images of each class
    val/val_annotations.txt          val_0.JPEG<tab>n03444034<tab>…
    val/images/*.JPEG                50 of each class; sorted: val/images/<wnid>/*.JPEG
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.data.labels import label_of
from training.data.split import Split
from training.data.table import ImageTable, LabelledImage, is_image_name
from training.data.walk import walk_files
from training.errors import TrainingError


@dataclass(frozen=True)
class Sorted:
    """What sorting the validation images did.

    Attributes:
        moved: Images moved into their class's folder.
        already: Images that were there already.
        missing: Names in ``val_annotations.txt`` of images that are nowhere.
        unknown: Images in ``val/images`` that it does not name; they stay where they are.
    """

    moved: int
    already: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


def is_tiny_imagenet(root: Path) -> bool:
    """Say whether a folder has Tiny ImageNet's layout."""
    return (root / "wnids.txt").is_file() and (root / "train").is_dir()


def sort_validation(root: Path, on_image: Callable[[], None] = lambda: None) -> Sorted:
    """Move each validation image into a folder of its class: val/images/<wnid>/<image>.

    Each image is renamed, once, so that it is at one of the two places at any moment: a run that
    is interrupted loses nothing, and the next one finishes. A third changes nothing.

    Args:
        root: Tiny ImageNet's folder.
        on_image: Called for every line of ``val_annotations.txt``.

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
        if target.is_file():
            if source.is_file():
                raise TrainingError(
                    f"{name} is in {images} and in {target.parent}. Remove the one that is wrong, "
                    "and run this again."
                )
            already += 1
        elif source.is_file():
            target.parent.mkdir(exist_ok=True)
            source.rename(target)
            moved += 1
        else:
            missing.append(name)
        on_image()
    unknown = sorted(
        path.name for path in images.iterdir() if path.is_file() and path.name not in annotations
    )
    return Sorted(moved, already, tuple(missing), tuple(unknown))


def read_annotations(root: Path) -> dict[str, str]:
    """Return the wnid of each validation image, by its file's name.

    Raises:
        TrainingError: There is no such file, or a line in it is none of this form.
    """
    path = root / "val" / "val_annotations.txt"
    if not (root / "val" / "images").is_dir():
        raise TrainingError(
            f"{root} has no folder val/images. Give the folder that Tiny ImageNet unpacks to, "
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
    """Return the classes of ``wnids.txt``, in order of the alphabet."""
    return tuple(sorted(line.strip() for line in _lines(root / "wnids.txt")))


def read_names(root: Path) -> dict[str, str]:
    """Return a label for each wnid: the first of its words, and no label twice.

    Where two wnids begin with the same word (*crane*, the bird and the machine; *Cardigan*, the
    dog, and *cardigan*), each gets all its words, and where these are the same, too, its wnid.
    Upper and lower case count as the same, for labels become names of files.

    Raises:
        TrainingError: ``words.txt`` is missing, or has no name for a wnid that will do.
    """
    wnids = read_wnids(root)
    words: dict[str, str] = {}
    for line in _lines(root / "words.txt"):
        wnid, _, text = line.partition("\t")
        words[wnid] = text.strip()
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


def read_tiny_imagenet(root: Path, seed: int = 0) -> tuple[ImageTable, Split]:
    """Read Tiny ImageNet, its validation images sorted into folders.

    Its test images have no published labels. So ``train/`` is the training part, and of the
    validation images of each class one half, drawn by the seed, is for validation and the other
    for the test, which no decision was made on.

    Raises:
        TrainingError: The layout is another, the validation images are not sorted yet, or a class
            has no image in a part.
    """
    names = read_names(root)
    trained: list[LabelledImage] = []
    validated: list[LabelledImage] = []
    for wnid in read_wnids(root):
        own = _images(root, root / "train" / wnid, names[wnid])
        held = _images(root, root / "val" / "images" / wnid, names[wnid])
        if not own:
            raise TrainingError(f"{root / 'train' / wnid} has no images (class {names[wnid]!r}).")
        if len(held) < 2:
            raise TrainingError(
                f"{root / 'val' / 'images' / wnid} has {len(held)} images, too few for validation "
                f"and test (class {names[wnid]!r}). Sort them into folders with "
                f"`python -m training tiny-imagenet {root}`."
            )
        trained += own
        validated += held
    from sklearn.model_selection import train_test_split

    validation, test = train_test_split(
        validated, test_size=0.5, stratify=[row.label for row in validated], random_state=seed
    )
    labels = tuple(sorted(names.values()))
    rows = sorted([*trained, *validated], key=_order)
    split = Split(*(tuple(sorted(part, key=_order)) for part in (trained, validation, test)))
    return ImageTable(root, labels, tuple(rows)), split


def _order(row: LabelledImage) -> tuple[str, str]:
    return row.label, row.file


def _images(root: Path, folder: Path, label: str) -> list[LabelledImage]:
    if not folder.is_dir():
        return []
    below = folder.relative_to(root).as_posix()
    names = filter(is_image_name, walk_files(folder))
    return [LabelledImage(f"{below}/{name}", label) for name in names]


def _lines(path: Path) -> list[str]:
    """Return a file's lines, empty ones left out."""
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(
            f"{path} cannot be read ({error}). Give the folder that Tiny ImageNet unpacks to, "
            "tiny-imagenet-200."
        ) from error
