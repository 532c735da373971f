"""Is the output right? `python -m tools.verify`; command.py begins, comparison.py judges."""
