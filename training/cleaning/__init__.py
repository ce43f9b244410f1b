"""Looking at a folder of images, and removing what spoils training."""
