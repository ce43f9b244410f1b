"""Packaging and deployment of the service."""
