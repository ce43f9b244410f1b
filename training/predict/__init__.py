"""Answering images and frames: what is asked, who answers, how the answers are shown."""

from __future__ import annotations

from training.predict.questions import classify_file, classify_picture

__all__ = ["classify_file", "classify_picture"]
