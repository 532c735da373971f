"""From record to commit: the Quix Streams application and what it does with each batch."""
