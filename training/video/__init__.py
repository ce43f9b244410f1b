"""Videos and cameras: their frames, and live images with a model's answers on them."""
