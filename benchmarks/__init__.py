"""Each figure of docs/performance.md, measured against a baseline in the same run: `make bench`."""
