"""Augmentation: named operations, sizes, and contact sheets of what they do."""
