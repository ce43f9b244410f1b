"""The architectures, and where their first weights come from."""
