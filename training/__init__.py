"""Offline training: folder → table → split → run → report → version.

Run it as ``python -m training``; it may be slow to import, and nothing that serves imports it.
"""
