"""Fitting: stages, and what they are fed with."""
