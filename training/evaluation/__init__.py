"""How well an exported version answers: the file that ships, through the code that serves."""
