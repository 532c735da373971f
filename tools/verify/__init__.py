"""Is the output right? `python pipeline.py verify`; command.py begins, comparison.py judges."""
