"""What README's figures come from: `python -m benchmarks [NAME ...]` measures and prints the table."""
