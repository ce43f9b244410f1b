"""What people see: the terminal, progress bars, plots, fonts."""
