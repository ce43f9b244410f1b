"""Reading and writing files: atomic, locked, any encoding."""
