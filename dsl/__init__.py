"""Text to syntax tree: spans, diagnostics and their renderers, parser, formatter. No JAX, no NumPy."""
