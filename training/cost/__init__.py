"""What a month of requests costs on AWS: measured here, priced from ``prices.yaml``."""
