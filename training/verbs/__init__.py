"""What each verb of the command line does, with its arguments and help."""
