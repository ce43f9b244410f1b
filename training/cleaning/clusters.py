"""K-Means over one or two measures of all images, to find the small groups far from the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans


@dataclass(frozen=True)
class Cluster:
    """One cluster.

    Attributes:
        members: Indices of its images.
        centre: Its centre, in the measures' own units.
        share: The fraction of all images it holds.
        mads: How far its centre lies from the median, in robust standard deviations, in the
            measure in which that is farthest.
    """

    members: tuple[int, ...]
    centre: tuple[float, ...]
    share: float
    mads: float


def find_clusters(measures: ArrayLike, k: int, seed: int) -> list[Cluster]:
    """Cluster images by their measures' logarithms, each scaled by its own spread.

    File sizes and sides are spread over orders of magnitude, so their logarithms are compared.
    The spread is 1.4826 × the median absolute deviation, or, where more than half of the images
    are equal, 1.2533 × the mean absolute deviation (Iglewicz and Hoaglin 1993); both equal the
    standard deviation of a normal distribution.

    Args:
        measures: Above 0, [N, D].
        k: How many clusters; fewer where there are fewer distinct images.
        seed: Random seed of K-Means.
    """
    logs = np.log(np.asarray(measures, np.float64))
    away = logs - np.median(logs, axis=0)
    spread = 1.4826 * np.median(np.abs(away), axis=0)
    spread = np.where(spread > 0, spread, 1.2533 * np.abs(away).mean(axis=0))
    scaled: NDArray[np.float64] = away / np.where(spread > 0, spread, 1)
    k = min(k, len(np.unique(scaled, axis=0)))
    names = KMeans(k, n_init=4, random_state=seed).fit_predict(scaled)
    clusters = []
    for name in range(k):
        members = np.flatnonzero(names == name)
        clusters.append(
            Cluster(
                tuple(members.tolist()),
                tuple(np.exp(logs[members].mean(axis=0)).tolist()),
                len(members) / len(logs),
                float(np.abs(scaled[members].mean(axis=0)).max()),
            )
        )
    return clusters


def outlying(clusters: list[Cluster], max_share: float, min_mads: float) -> list[Cluster]:
    """Return the clusters that are both small and far: rare large images, say.

    Either alone would prune too much: K-Means halves a dense middle as well, and a whole class
    may lie far from the others.
    """
    return [
        cluster for cluster in clusters if cluster.share <= max_share and cluster.mads >= min_mads
    ]
