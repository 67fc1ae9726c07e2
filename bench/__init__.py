"""Benchmarks: what the product costs beside a bare Django project, measured in one run. See docs/benchmarks.md."""
