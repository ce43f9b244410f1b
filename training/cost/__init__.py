"""The monthly cost on AWS: classification is measured here, priced by ``prices.yaml``."""
