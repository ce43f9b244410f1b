"""What stands between the model and those who ask: requests, Lambda's events, objects of S3."""
