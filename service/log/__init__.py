"""The log: a JSON line for each request, with its metrics, and whatever else is logged."""
