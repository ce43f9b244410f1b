"""The data: a folder as a table, its split, its pixels."""
