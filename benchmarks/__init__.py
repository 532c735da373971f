"""Benchmarks of this pipeline and its peers on one machine. See README.md here."""
