"""What stands between HTTP and the model: uploads, answers, problems and Lambda's events."""
