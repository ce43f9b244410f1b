"""Answering images and frames: what is asked, who answers, how the answers are shown."""
