"""Decoded images: read once, cached, and fed to training."""
