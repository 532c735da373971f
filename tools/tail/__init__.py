"""Shows a topic's records: `python pipeline.py tail`."""
