"""`python pipeline.py check`: tests what the pipeline needs, and changes no topic."""
