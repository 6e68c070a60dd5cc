"""What an operator moves: a whole app into a file, and out of one."""
