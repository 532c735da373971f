"""Benchmarks of this pipeline and its peers on one machine; see README.md here."""
