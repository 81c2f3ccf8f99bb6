"""A step as a program."""
