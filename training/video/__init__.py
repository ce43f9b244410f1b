"""Videos and cameras: their frames, and live pictures with a model's answers on them."""
