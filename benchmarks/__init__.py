"""Each figure of the README, measured against a baseline in the same run: `make bench`."""
