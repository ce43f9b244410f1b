"""The terminal, progress bars, plots, fonts."""
