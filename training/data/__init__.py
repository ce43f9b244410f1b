"""The labelled images: a folder as a table, and its split."""
