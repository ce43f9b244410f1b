"""A local AWS: Lambda, API Gateway, S3 and the events that they send."""
