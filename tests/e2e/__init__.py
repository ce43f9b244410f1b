"""Tests that deploy the real service to a local AWS, and run the real package."""
