"""Syntax tree to plan: names, dims, types, supports and densities are checked here. No JAX, no NumPy."""
