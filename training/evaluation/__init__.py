"""Evaluation of an exported version: the file that ships, through the code that serves."""
