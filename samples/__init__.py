"""Drawn images to try things on: birds, quadcopters and winged drones over skies."""
