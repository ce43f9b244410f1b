"""The report: everything that a person wants to see of a run, on one page."""
