"""Class names, from names of folders and cells of tables."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable

from training.errors import TrainingError
from training.output.terminal import HIDDEN, is_unicode, visible


def label_of(name: str, where: str) -> str:
    """Return the class name of a folder's name or a table's cell: its letters composed (NFC).

    macOS stores the ``ö`` of a folder's name as two characters; clients compare with one.

    Args:
        name: The text.
        where: The place of the name, for the message.

    Raises:
        TrainingError: It is not UTF-8, is empty, begins or ends with a space, or holds characters
            that cannot be seen.
    """
    if not is_unicode(name):
        raise TrainingError(
            f"{where}: the class name '{visible(name)}' is not UTF-8. Rename it; names of images "
            "may stay as they are."
        )
    if HIDDEN.search(name):
        raise TrainingError(
            f"{where}: the class name '{visible(name)}' holds characters that cannot be seen, "
            "written here as escapes. Rename it without them."
        )
    if not name or name != name.strip():
        raise TrainingError(
            f"{where}: the class name '{name}' is empty, or begins or ends with a space. Rename it."
        )
    return unicodedata.normalize("NFC", name)


def labels_of(names: Iterable[str], where: str) -> dict[str, str]:
    """Return the class name of each of some names, none of them twice.

    Raises:
        TrainingError: As ``label_of`` does, or two names look the same.
    """
    labels = {name: label_of(name, where) for name in names}
    for label, count in Counter(labels.values()).items():
        if count > 1:
            raise TrainingError(
                f"{where}: two classes look the same, {label!r}: one is written with composed "
                "letters, one with letters and accents apart. Make one of the two."
            )
    return labels
