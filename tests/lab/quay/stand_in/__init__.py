"""A stand-in for Quay: starts, migrates, answers health checks and stops like the real one, and writes down what it did."""
