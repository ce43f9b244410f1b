"""HTTP requests, Lambda events and S3 objects on their way to the model."""
