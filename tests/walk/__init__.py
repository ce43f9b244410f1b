"""The way of a new user, who knows no more than each command says."""
